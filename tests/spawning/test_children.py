"""Which pids the controller takes for a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import pytest_twisted

from passtwist.spawning.child import Children, NotOurChild


@pytest_twisted.ensureDeferred
async def test_one_process_is_not_taken_for_two():
    """An app can't have another's worker killed by giving its pid for its own."""
    from twisted.internet import reactor

    children = Children(reactor)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as process:
        child = children.adopt(process.pid, os.geteuid())
        with pytest.raises(NotOurChild, match="another process"):
            children.adopt(process.pid, os.geteuid())
        assert process.pid in children
        gone = child.when_exited()
        child.kill()
        assert (await gone).signal == 9
        assert process.pid not in children


WAIT_AS = """
import os, sys
os.setresuid(*map(int, sys.argv[1:]))
print("there", flush=True)
sys.stdin.read()
"""


@pytest.mark.root
@pytest.mark.parametrize(
    ("uids", "expected", "problem"),
    [
        ((5001, 5001, 5001), 0, "5001, not 0"),
        ((0, 0, 0), 5001, "0, not 5001"),
        ((5001, 5001, 0), 5001, "0, 5001, not 5001"),
        ((0, 5001, 5001), 5001, "0, 5001, not 5001"),
        ((5001, 5001, 5001), 5001, ""),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_process_of_another_user_is_not_believed(uids, expected, problem):
    """Nor one that could become another: all of its uids are looked at."""
    from twisted.internet import reactor

    children = Children(reactor)
    command = [sys.executable, "-c", WAIT_AS, *map(str, uids)]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        if problem:
            text = f"^pid {process.pid} runs as user {problem}$"
            with pytest.raises(NotOurChild, match=text):
                children.adopt(process.pid, expected)
            return
        child = children.adopt(process.pid, expected)
        gone = child.when_exited()
        child.kill()
        assert (await gone).signal == 9
