"""Memory of servers that run: read after a load that reached each worker."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.load.spread import Spread
from benchmarks.measures import memory_curve
from benchmarks.measures.base import Bench
from benchmarks.measures.memory import (
    Memory,
    after_load,
    comes_once,
    with_auto,
    with_immortal,
)
from benchmarks.servers import Failed, Running, Setup, every_server
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.passtwist_freeze import PasstwistFreeze
from benchmarks.sites import make_site

if TYPE_CHECKING:
    from benchmarks.sites import Site


@pytest.fixture(scope="module")
def django(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site("django", tmp_path_factory.mktemp("sites"))


class Lopsided(Gunicorn):
    """Has one worker, whatever it is told."""

    def command(self, setup: Setup) -> list[str]:
        return [
            "--workers=1" if word.startswith("--workers=") else word
            for word in super().command(setup)
        ]


def test_parts_of_passtwist_s_memory_are_no_more_than_all_of_it(django):
    with Running(Passtwist("smart"), django, 2) as running:
        values = after_load(running, 4)
    assert set(values) == {column.key for column in Memory.columns}
    assert 0 < values["uss"] <= values["pss"]
    assert 2 * values["pss"] < values["app"] < values["total"]
    assert 0 < values["controller"] < values["total"]


def test_a_peer_has_no_figures_of_ours(with_gunicorn, django):
    with Running(Gunicorn(), django, 2) as running:
        values = after_load(running, 4)
    assert set(values) == {"total", "uss", "pss"}
    assert 0 < values["uss"] <= values["pss"] < values["total"]


def test_a_load_counts_the_answers_of_each_worker(with_gunicorn, django):
    """What was sent before counts; each worker gets its share."""
    with Running(Gunicorn(), django, 2) as running:
        workers = running.workers()
        spread = Spread(running)
        spread.send(1)
        assert spread.all_had(1)
        spread.send(10)
        assert set(spread.answered) == workers
        assert spread.answered.total() >= 20
        before = spread.answered.copy()
        spread.send(5)
        assert spread.answered == before


def test_a_worker_that_gets_nothing_is_a_failure(with_gunicorn, django):
    why = "2 workers were to have 2 requests each at least, and had "
    with Running(Lopsided(), django, 2) as one, pytest.raises(Failed, match=why):
        Spread(one).send(8)


def test_a_page_that_is_no_login_page_is_a_failure(with_gunicorn, tmp_path):
    site = make_site("wsgi", tmp_path)
    with (
        Running(Gunicorn(), site, 1) as running,
        pytest.raises(Failed, match="/login: 404"),
    ):
        Spread(running).send(1)


def test_the_curve_begins_before_the_load(with_gunicorn, django):
    """At nought the workers are read that are known by their later answers."""
    with Running(Gunicorn(), django, memory_curve.WORKER_COUNT) as running:
        found = memory_curve.curve_of(running, (0, 2))
    assert [stage for stage, _ in found] == [0, 2]
    requests = [values["requests"] for _, values in found]
    assert requests[0] == 0
    assert requests[1] >= 2
    uss = [values["uss"] for _, values in found]
    assert 0 < uss[0] < uss[1]


def test_the_longest_stage_of_the_curve_is_for_who_asks_for_it(tmp_path):
    """It alone would take ten minutes of a whole run."""

    def stages(*asked, quick=False):
        bench = Bench([], quick, tmp_path, frozenset(asked))
        return memory_curve.stages_of(bench)

    assert stages() == (0, 1, 10, 100, 1000)
    assert stages("memory") == stages()
    assert stages("memory-curve") == (0, 1, 10, 100, 1000, 10_000)
    assert stages("memory-curve", quick=True) == (0, 1, 10)


def test_the_curve_of_many_servers_is_for_who_asks_for_it(tmp_path):
    """Those that share nothing after a fork have little to show in a whole run."""

    def names(*asked):
        bench = Bench(every_server(), False, tmp_path, frozenset(asked))
        return {one.name for one in bench.select(memory_curve.compared(bench))}

    methods = {f"passtwist {method}" for method in ("smart", "smart-lv2")}
    methods |= {"passtwist conservative", "gunicorn sync --preload"}
    assert names() == methods
    assert names("memory-curve") == methods | {
        "gunicorn sync",
        "uwsgi",
        "passenger builtin",
    }


def test_the_default_is_measured_before_smart():
    names = [one.name for one in with_auto([Gunicorn(), Passtwist("smart")])]
    assert names == ["gunicorn sync", "passtwist auto", "passtwist smart"]


def test_one_of_each_way_that_processes_come_to_be_is_measured():
    names = [
        one.name for one in with_immortal(list(filter(comes_once, every_server())))
    ]
    assert names[:2] == ["passtwist smart", "passtwist smart, freeze=immortal"]
    assert not [name for name in names if "4 threads" in name or "gthread" in name]
    assert {"uwsgi --lazy-apps", "gunicorn sync --preload", "granian"} <= set(names)
    assert not {"waitress", "twist web"} & set(names), "one process shares nothing"


def test_a_peer_that_is_not_installed_is_recorded_as_missing(tmp_path):
    class Absent(Gunicorn):
        def missing(self) -> str:
            return "pip install it"

    bench = Bench([Absent()], quick=True, folder=tmp_path)
    Memory().take(bench)
    (absence,) = bench.results.absences
    assert (absence.kind, absence.server) == ("missing", "gunicorn sync")
    assert bench.results.samples == []


def test_the_setting_without_a_flag_is_in_a_file_and_served(django):
    server = PasstwistFreeze("off")
    with Running(server, django, 2) as running:
        assert len(running.workers()) == 2
        file = Path(running.setup.folder, "passtwist.toml")
        (app,) = tomllib.loads(file.read_text())["app"]
    assert app["freeze"] == "off"
    assert server.name == "passtwist smart, freeze=off"
