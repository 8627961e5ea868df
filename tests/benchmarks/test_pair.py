"""A proxy and a server as one: they start, stop and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.servers import pair
from passtwist.testing.waiting import wait_until

PROXY = ["sleep", "600"]
SERVER = ["sleep", "601"]
RESTARTS = "trap 'exit 5' HUP; echo ready; while :; do sleep 0.02; done"


class Pair:
    """One that runs; at the end of the block nothing of it is left."""

    def __init__(self, proxy: list[str], server: list[str]) -> None:
        self._mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, pair.__file__, *proxy, "--", *server],
            stdout=subprocess.PIPE,
            env={**os.environ, processes.MARK: self._mark},
        )

    def pids(self) -> list[int]:
        return processes.marked(self._mark, self.process.pid)

    def pid(self, words: list[str]) -> int:
        """Of the child that runs this, once it does."""
        wanted = "\0".join([*words, ""])

        def found() -> int | None:
            for pid in self.pids():
                if Path(f"/proc/{pid}/cmdline").read_text() == wanted:
                    return pid
            return None

        return wait_until(found, f"{words} to run")

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_what_stops_it_stops_both(number):
    with Pair(PROXY, SERVER) as both:
        assert both.pid(PROXY) != both.pid(SERVER)
        both.process.send_signal(number)
        assert both.process.wait(20) == number
        assert both.pids() == []


@pytest.mark.parametrize("first", [PROXY, SERVER], ids=["proxy", "server"])
def test_when_one_ends_the_other_is_stopped(first):
    with Pair(PROXY, SERVER) as both:
        assert both.pid(PROXY) != both.pid(SERVER)
        os.kill(both.pid(first), signal.SIGKILL)
        assert both.process.wait(20) == signal.SIGKILL
        assert both.pids() == []


def test_its_status_is_that_of_the_one_that_ended_first():
    with Pair(PROXY, ["sh", "-c", "exit 3"]) as both:
        assert both.process.wait(20) == 3
        assert both.pids() == []


def test_a_signal_to_restart_goes_to_the_server_alone():
    """sleep would die of it, and first; the shell ends with a status of its own."""
    with Pair(PROXY, ["sh", "-c", RESTARTS]) as both:
        assert both.process.stdout is not None
        assert both.process.stdout.readline() == b"ready\n"
        both.process.send_signal(signal.SIGHUP)
        assert both.process.wait(20) == 5
        assert both.pids() == []
