"""The measures with intended times and with slow clients, on a server that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.load.open_loop import Kind, Plan
from benchmarks.load.open_loop_outcome import Outcome, Tally
from benchmarks.measures.latency import figures, is_plain
from benchmarks.measures.mixed import (
    FAST,
    SLOW,
    Mixed,
    MixedClosed,
    is_common,
    rounds_of,
)
from benchmarks.measures.slow_clients import (
    CASES,
    BesideSlowClients,
    beside_slow_ones,
    fronted,
)
from benchmarks.servers import Failed, Running, every_server
from benchmarks.servers.behind_nginx import BehindNginx
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passtwist import Passtwist
from benchmarks.sites import make_site

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    site = make_site("wsgi", tmp_path_factory.mktemp("sites"))
    with Running(Passtwist(), site, 2) as server:
        yield server


@pytest.mark.parametrize(
    ("measure", "plan"),
    [
        (Mixed(), Plan("", (FAST, SLOW), 0.2, 100)),
        (MixedClosed(), Plan("", (FAST, SLOW), 0.2, connections=4)),
    ],
    ids=["mixed", "mixed-closed"],
)
def test_a_turn_of_a_mixed_load_has_a_figure_for_each_column(running, measure, plan):
    values = rounds_of(plan, measure.figures)(running)
    assert set(values) == {column.key for column in measure.columns}
    assert values["errors"] == 0
    assert values["p50"] <= values["p99"]


@pytest.mark.parametrize("kind", [name for name, _ in CASES])
def test_fast_requests_are_answered_beside_slow_clients(running, kind):
    values = beside_slow_ones(running, kind, seconds=0.2)
    assert set(values) == {column.key for column in BesideSlowClients.columns}
    assert (values["answered"], values["errors"], values["ended"]) == (100, 0, 0)


def test_a_server_that_answers_nothing_right_has_failed(running):
    turn = rounds_of(Plan("", (Kind("all", "/nowhere"),), 0.1, 50), Mixed().figures)
    with pytest.raises(Failed, match=r"nothing was answered: .*'status 404': "):
        turn(running)


@pytest.mark.parametrize(("count", "told"), [(499, False), (500, True)])
def test_a_p999_is_told_of_enough_requests_only(count, told):
    """Of fewer it is their slowest one."""
    tally = Tally(latencies=[0.001] * (count - 1) + [0.1])
    outcome = Outcome(1.0, 1, 0.5, 0.6, 0.1, True, {"hello": tally.total(10.0)})
    expected = {"p50": 1.0, "p99": 1.0, "errors": 0, "lag": 0.5}
    assert figures(outcome) == expected | ({"p999": 100.0} if told else {})


def test_one_of_each_way_of_serving_is_measured():
    """With few threads; ways to start processes are no ways of serving."""
    serving = [one.name for one in every_server() if is_plain(one)]
    assert {"passtwist smart", "gunicorn gthread", "waitress"} <= set(serving)
    assert "passtwist conservative" not in serving
    assert "passtwist smart, 4 threads" not in serving
    common = {one.name for one in every_server() if is_common(one)}
    assert common < set(serving)


def test_those_that_the_closed_loop_is_compared_with_by_name_take_part():
    """Names in strings are checked by nobody else."""
    common = {one.name for one in every_server() if is_common(one)}
    assert set(MixedClosed.beside) <= common


def test_whom_its_documentation_wants_behind_a_proxy_is_put_behind_one_once():
    """What is behind the proxy then matters little: one of a family is enough."""
    sync, ours = Gunicorn("sync"), Passtwist()
    found = fronted([ours, sync, Gunicorn("gthread"), BehindNginx(sync)])
    assert [one.name for one in found] == [
        "passtwist smart",
        "gunicorn sync behind nginx",
    ]
    assert found[0] is ours
