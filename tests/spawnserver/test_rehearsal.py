"""Our own code is run before the fork, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys

from passtwist.model import AppSpec, SpawnRequest
from passtwist.spawnserver import rehearsal

REQUEST = SpawnRequest(1, AppSpec("a", "/a"))

ADAPTED = """
import dis
from passtwist.model import AppSpec, SpawnRequest
from passtwist.spawnserver import rehearsal
from passtwist.worker.wsgi import WsgiHalf

def adapted():
    code = dis.get_instructions(WsgiHalf.answer, adaptive=True)
    return sum(each.opname not in dis.opmap for each in code)

before = adapted()
rehearsal.rehearse(SpawnRequest(1, AppSpec("a", "/a")))
print(before, adapted() > 10)
"""


def test_a_rehearsal_answers_requests_and_leaves_no_descriptor(monkeypatch):
    answered = []
    play = rehearsal._app

    def app(environ, start_response):
        answered.append(environ["PATH_INFO"])
        return play(environ, start_response)

    monkeypatch.setattr(rehearsal, "_app", app)
    before = os.listdir("/proc/self/fd")
    rehearsal.rehearse(REQUEST)
    assert os.listdir("/proc/self/fd") == before
    assert answered == ["/"] * rehearsal.TIMES * rehearsal.REQUESTS


def test_the_interpreter_has_adapted_the_code_by_then():
    done = subprocess.run(
        [sys.executable, "-c", ADAPTED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 True\n"
