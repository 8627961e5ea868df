"""Under load, the processes below the controller are killed one after the other."""

from __future__ import annotations

import threading

import pytest

from tests.storms.deployments import GOOD, Deployments
from tests.storms.killing import MANAGER, WORKER, kill_on
from tests.storms.sizes import SIZE
from tests.storms.storm import NAME, ROUTES, serving

pytestmark = pytest.mark.timeout(SIZE.timeout)


@pytest.mark.parametrize(
    ("method", "threads"), [*((method, 1) for method in ROUTES), ("smart-lv2", 4)]
)
def test_a_kill_fails_only_the_requests_that_are_in_the_worker(
    tmp_path, method, threads
):
    """Each of them is answered 502; nobody else notices, and no POST runs twice.

    Soon after the last kill there are as many workers as before.
    """
    with serving(
        tmp_path, method, seed=5, rate=SIZE.rate, wait=60, threads=threads
    ) as storm:
        kill_on(storm, SIZE.kills)
        seconds = storm.wait_until_full()
        spawns = [one["spawn_seconds"] for one in storm.server.workers(NAME)]
        storm.note(
            f"full {seconds:.3f} s after the last kill; "
            f"spawning a worker takes up to {max(spawns):.3f} s"
        )
        # Who comes now finds nothing broken.
        failed = len(storm.crowd.tally.failed)
        storm.wait_for_requests(storm.crowd.tally.requests + 200)
        afterwards = len(storm.crowd.tally.failed) - failed
        record = storm.over()
        print(record)
        assert record.verdict.faults() == {}
        assert set(record.verdict.tally.failures) <= {"502"}
        assert record.kills[WORKER] > 0
        assert record.kills[MANAGER] > 0
        assert afterwards == 0


def test_good_code_comes_up_whoever_is_killed_meanwhile(tmp_path):
    """A kill says nothing about new code, so no restart is given up for it."""
    with serving(
        tmp_path, "smart", seed=11, rate=SIZE.rate, health_check="/healthz"
    ) as storm:
        kills = threading.Thread(target=kill_on, args=(storm, SIZE.kills))
        deployments = Deployments(storm, links=False)
        kills.start()
        try:
            while kills.is_alive():
                deployments.deploy(GOOD)
        finally:
            kills.join()
        storm.wait_until_full()
        deployments.deploy(GOOD)
        storm.wait_for_requests(storm.crowd.tally.requests + 100)
        record = storm.over()
        print(record)
        assert record.verdict.faults() == {}
        assert max(record.verdict.tally.answered) == deployments.release
