"""An app that is measured beside one that goes wrong, in the same server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command
from benchmarks.measures.admin_socket import pids_of
from benchmarks.measures.base import Bench
from benchmarks.measures.neighbour import PATHS, Neighbour, beside, together, warm_up
from benchmarks.servers import Failed, Running
from benchmarks.servers.passtwist_neighbours import NEIGHBOUR, PasstwistNeighbours
from benchmarks.servers.waitress import Waitress
from benchmarks.sites import make_site
from tests.benchmarks.peculiar_server import PeculiarServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = 0.2


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("sites")
    server = PasstwistNeighbours(make_site("noisy", folder))
    with Running(server, make_site("wsgi", folder), 2) as one:
        warm_up(one)
        yield one


@pytest.mark.parametrize("case", PATHS)
def test_the_neighbour_goes_wrong_and_is_put_right(running, case):
    """And the measured app has answered all, else there would be no figures."""
    before = pids_of(running, NEIGHBOUR)
    values = beside(running, PATHS[case], seconds=SHORT)
    assert set(values) == {column.key for column in Neighbour.columns}
    assert values["unserved"] == (0 if case == "leaks" else 100)
    assert values["memory"] >= (2 if case == "leaks" else 0)
    assert values["times"] == values["p99"] / values["good_p99"] > 0
    # Those that leaked or hung have gone, too.
    assert not set(before) & set(pids_of(running, NEIGHBOUR))


def test_a_failed_request_of_the_measured_app_is_a_failure():
    """However rare; a median would not show it."""
    with PeculiarServer() as peculiar:
        broken = SimpleNamespace(url=f"{peculiar.url}/refused", tail=lambda: "the log")
        with pytest.raises(Failed, match=r"(?s)of .* failed .*'status 503': .*the log"):
            together(broken, "/", 1, SHORT)


def test_it_is_taken_of_passtwist_alone_and_only_when_asked_for(tmp_path):
    bench = Bench([Waitress()], quick=True, folder=tmp_path)
    Neighbour().take(bench)
    assert (bench.results.samples, bench.results.absences) == ([], [])
    for quick in (True, False):
        taken = [one.name for one in command.selected_measures(None, quick)]
        assert "throughput" in taken
        assert "neighbour" not in taken
        (asked,) = command.selected_measures(["neighbour"], quick)
        assert isinstance(asked, Neighbour)
