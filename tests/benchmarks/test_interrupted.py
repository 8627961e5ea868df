"""A run of the benchmarks that is ended before its time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.processes import alive, marked
from passtwist.testing.waiting import wait_until
from tests.docs.pages import ROOT


@pytest.fixture
def folder():
    """A short one: sockets are made below it."""
    path = Path(tempfile.mkdtemp(prefix="ptwb-"))
    yield path
    shutil.rmtree(path)


@pytest.mark.debian("wrk")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_servers_do_not_outlive_a_run_that_is_ended(folder, number):
    """No process and no folder of it is left, however and how often it is told."""
    words = ["--quick", "--measure", "throughput", "--server", "conservative, 4"]
    run = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def has_begun():
            # twistd, the spawn manager, and a worker at least.
            found = marked("of no process", run.pid)
            return found if len(found) >= 4 else None

        processes = wait_until(has_begun, "processes of a server")
        run.send_signal(number)
        # While it stops them: a dead process can't be sent anything.
        wait_until(lambda: not all(map(alive, processes)), "the first to be gone")
        run.send_signal(number)
        assert run.wait(60) == 128 + number
    finally:
        run.kill()
        run.wait()
    assert [pid for pid in processes if alive(pid)] == []
    assert list(folder.iterdir()) == []
