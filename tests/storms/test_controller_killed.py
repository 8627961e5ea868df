"""The controller is killed under load."""

from __future__ import annotations

import pytest

from passtwist.testing.waiting import wait_until
from tests.storms.storm import ROUTES, serving

DEAD_WITHIN = 5.0  # seconds: DESIGN, lifelines


def listening_below(folder):
    """Names of the Unix sockets in *folder* that somebody has open."""
    with open("/proc/net/unix") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return [row[-1] for row in rows if row[-1].startswith(f"{folder}/")]


@pytest.mark.parametrize("method", ROUTES)
def test_nothing_is_left_of_a_server_whose_controller_is_killed_under_load(
    tmp_path, method
):
    """Nothing lives or listens any more, though workers were in requests.

    No answer was wrong or cut without being seen as such, and no POST ran twice.
    The next server in its place serves.
    """
    with serving(tmp_path, method, seed=3, rate=300, wait=100) as storm:
        storm.wait_for_requests(100)
        assert listening_below(storm.server.runtime_dir) != []
        storm.server.kill()
        wait_until(lambda: not storm.server.processes(), "all to end", DEAD_WITHIN)
        # One that is ending has no command line any more and still has its sockets.
        left = storm.server.runtime_dir
        wait_until(lambda: not listening_below(left), "their sockets", DEAD_WITHIN)
        with pytest.raises(ConnectionRefusedError):
            storm.server.connect()
        verdict = storm.over().verdict
        storm.server.start()
        name = "/?name=again&size=0&wait=0"
        assert storm.server.get(name).text.startswith("again 1 ")
        assert storm.server.stop() == 0
    assert set(verdict.unexplained.values()) <= {"closed", "cut", "refused"}
    assert set(verdict.faults()) <= {"failed", "closed in idleness"}
