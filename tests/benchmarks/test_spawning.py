"""Spawn times, as servers tell them, and those of a bare fork."""

from __future__ import annotations

import pytest

from benchmarks.measures.admin_socket import status
from benchmarks.measures.base import Bench
from benchmarks.measures.cold_start import ColdStart
from benchmarks.measures.respawn import (
    passenger_respawn,
    passtwist_respawn,
    spawn_seconds,
)
from benchmarks.measures.spawning import REFERENCES, beside_lv2, figures, of_second_app
from benchmarks.processes import alive
from benchmarks.reference.bare_fork import WAYS
from benchmarks.reference.forker import Forker
from benchmarks.servers import Failed, Running
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passenger import Passenger
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.passtwist_second import PasstwistSecond
from benchmarks.sites import make_site

# As passenger-status has it, but for what nobody reads here.
STATUS = """\
<?xml version="1.0" encoding="iso-8859-1" ?>
<info version="3"><process_count>2</process_count><processes>
<process><pid>18047</pid><processed>2</processed>
<spawner_creation_time>1795309881685682</spawner_creation_time>
<spawn_start_time>1795309881687639</spawn_start_time>
<spawn_end_time>1795309882157095</spawn_end_time><uptime>0s</uptime></process>
<process><pid>18119</pid><spawn_start_time>1795309882556238</spawn_start_time>
<spawn_end_time>1795309883056238</spawn_end_time></process>
</processes></info>
"""


def test_passenger_notes_begin_and_end_of_each_spawn():
    assert spawn_seconds(STATUS, 18047) == pytest.approx(0.469456)
    assert spawn_seconds(STATUS, 18119) == 0.5


def test_a_process_that_passenger_does_not_know_is_a_failure():
    with pytest.raises(Failed, match="no process 1:"):
        spawn_seconds(STATUS, 1)


def test_figures_are_ratios_to_a_bare_fork_and_to_conservative():
    seconds = {
        "os.fork": 0.002,
        "passtwist smart": 0.008,
        "passtwist conservative": 0.4,
    }
    assert figures(seconds) == {
        "os.fork": {"spawn": 2, "to_fork": 1, "sooner": 200},
        "passtwist smart": {"spawn": 8, "to_fork": 4, "sooner": 50},
        "passtwist conservative": {"spawn": 400, "to_fork": 200, "sooner": 1},
    }


def test_without_conservative_nothing_is_compared_with_it():
    found = figures({"os.fork": 0.002, "passtwist smart": 0.008})
    assert found["passtwist smart"] == {"spawn": 8, "to_fork": 4}


def test_figures_are_ratios_to_a_double_fork_and_to_smart_lv2_where_there_are_such():
    assert figures({"os.fork, twice": 0.004, "passtwist smart": 0.008}) == {
        "os.fork, twice": {"spawn": 4, "to_double": 1},
        "passtwist smart": {"spawn": 8, "to_double": 2},
    }
    assert beside_lv2({"passtwist smart": 0.3}) == {"passtwist smart": {"spawn": 300}}
    assert beside_lv2({"passtwist smart-lv2": 0.6, "passtwist smart": 0.3}) == {
        "passtwist smart-lv2": {"spawn": 600, "sooner_lv2": 1},
        "passtwist smart": {"spawn": 300, "sooner_lv2": 2},
    }


def test_the_first_worker_of_a_second_app_is_started_when_the_app_is_asked(tmp_path):
    """Only then; by the method that is measured."""
    sites = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sites.append(make_site("flask", tmp_path / name))
    server = PasstwistSecond("smart", sites[1])
    with Running(server, sites[0], 1) as running:

        def apps():
            return {
                app["name"]: [one["spawn_method"] for one in app["workers"]]
                for app in status(running)["apps"]
            }

        assert apps() == {"first": ["smart"], "second": []}
        assert 0 < of_second_app(running) < 60
        assert apps() == {"first": ["smart"], "second": ["smart"]}


def test_a_bare_fork_answers_in_each_way_and_leaves_nothing(tmp_path):
    assert sorted(REFERENCES.values()) == sorted(WAYS)
    with Forker(make_site("django", tmp_path)) as forker:
        for way in WAYS:
            assert forker.seconds(way) > 0
        assert alive(forker.pid)
    assert not alive(forker.pid)


def test_a_forking_process_that_ended_is_an_error(tmp_path):
    site = make_site("wsgi", tmp_path)
    (site.folder / "passenger_wsgi.py").write_text("raise SystemExit(7)\n")
    with Forker(site) as forker, pytest.raises(OSError, match="ended: 7"):
        forker.seconds("once")


@pytest.mark.parametrize(
    ("server", "respawn"),
    [(Passtwist(), passtwist_respawn), (Passenger(), passenger_respawn)],
    ids=["passtwist", "passenger"],
)
def test_a_killed_worker_is_replaced_and_the_server_says_in_what_time(
    tmp_path, server, respawn
):
    if why := server.missing():
        pytest.skip(why)
    with Running(server, make_site("wsgi", tmp_path), 1) as running:
        (old,) = running.workers()
        assert 0 < respawn(running) < 60
        assert not alive(old)
        assert running.workers() != {old}


def test_a_cold_start_is_recorded_for_each_server(with_gunicorn, tmp_path):
    bench = Bench([Gunicorn()], quick=True, folder=tmp_path)
    ColdStart().take(bench)
    (sample,) = bench.results.samples
    assert (sample.case, sample.server, sample.round) == ("hello", "gunicorn sync", 0)
    assert sample.values["seconds"] > 0
    assert bench.results.absences == []
