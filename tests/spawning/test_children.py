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
