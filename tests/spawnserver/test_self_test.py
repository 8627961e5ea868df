"""The self-test of a forked copy: what it sees that the audit can't."""

from __future__ import annotations

import os
import signal
import threading

from passtwist.model import APP, UNSAFE, UNSAFE_FORK
from passtwist.spawnserver import self_test, trial
from passtwist.wire.journey import FindingRecord
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import descriptors_of, make_app, parent_of

HANGS_AT_THE_FORK = """
import os, threading
os.register_at_fork(after_in_child=threading.Event().wait)
"""
HANGS_WHEN_LOGGING = """
import logging, os, threading
here = os.getpid()

class Lock:
    def __enter__(self):
        if os.getpid() != here:
            threading.Event().wait()
    def __exit__(self, *error):
        pass
    acquire = release = _at_fork_reinit = lambda self: None

handler = logging.NullHandler()
handler.lock = Lock()
logging.getLogger().addHandler(handler)
"""
FAILS_TO_RESOLVE = """
import os, socket

def fail(*arguments, **keywords):
    raise ValueError("no resolver\\nin a copy")

def spoil():
    socket.getaddrinfo = fail

os.register_at_fork(after_in_child=spoil)
"""
DIES_WITH_A_THREAD = """
import os, signal, threading

def die(thread):
    os.kill(os.getpid(), signal.SIGKILL)

def spoil():
    threading.Thread.start = die

os.register_at_fork(after_in_child=spoil)
"""
NOT_DONE = "hung for 2 s or ended the copy"


BROKEN = {
    "fork": (HANGS_AT_THE_FORK, NOT_DONE),
    "logging": (HANGS_WHEN_LOGGING, NOT_DONE),
    "resolve": (FAILS_TO_RESOLVE, "raised ValueError: no resolver in a copy"),
    "thread": (DIES_WITH_A_THREAD, NOT_DONE),
}


def test_an_app_whose_copy_does_not_work_is_not_forked(driver, tmp_path):
    """The finding says in which step; nothing of the copy is left.

    All at a time, because a copy that hangs is waited for.
    """
    spawns = {
        step: driver.spawn(make_app(tmp_path / step, source + HELLO), ("app",))
        for step, (source, _) in BROKEN.items()
    }
    for step, (_, how) in BROKEN.items():
        spawn = spawns[step]
        spawn.wait()
        failure = spawn.failure
        text = f"a forked copy of the app was tested, and the step '{step}' {how}"
        (found,) = spawn.only(FindingRecord)
        assert (found.token, found.text) == (f"self-test:{step}", text)
        assert found.level == UNSAFE
        assert (failure.who, failure.step) == (APP, "self_test")
        assert failure.category == UNSAFE_FORK
        assert spawn.started() == [APP]


def test_what_the_self_test_finds_can_be_allowed(driver, tmp_path):
    """The operator knows better."""
    source = FAILS_TO_RESOLVE + HELLO
    app = make_app(tmp_path / "site", source, fork_allow=("self-test:*",))
    worker = driver.spawn(app, ("app",)).ready()
    assert driver.spawns[0].connect().get() == f"hello from {worker}"


def test_the_self_test_is_made_once_for_each_spawner(driver, hello, python):
    """The second worker is forked without."""
    spawns = [driver.spawn(hello, ("app",)), driver.spawn(hello, ("app",))]
    for spawn in spawns:
        spawn.ready()
    tested = [f"{APP}: self_test" in spawn.steps() for spawn in spawns]
    assert tested == [True, False]


def test_this_process_passes():
    """With its loggers, its TLS, and whatever else the tests have loaded."""
    assert self_test.run() is None


def test_a_copy_speaks_until_it_ends():
    """Lines of any length and language, and no more than it has said."""
    long = "ä" * 100_000

    def work(say):
        say("one")
        say(long)
        os.kill(os.getpid(), signal.SIGKILL)
        say("never")

    assert trial.try_fork(work).splitlines() == ["one", long]


def test_a_copy_that_raises_ends_as_the_copy():
    """It must not go on as a second spawner."""
    here = os.getpid()

    def work(say):
        say(f"{os.getpid() != here} {parent_of(os.getpid()) == here}")
        raise SystemExit

    assert trial.try_fork(work) == "True True\n"
    assert os.getpid() == here


def test_a_copy_that_hangs_is_ended_at_the_limit(monkeypatch):
    """Also when the app has a handler for the signal that ends it."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    monkeypatch.setattr(trial, "LIMIT", 0.05)
    monkeypatch.setattr(trial, "_GRACE", 20)
    try:

        def work(say):
            say("hanging")
            threading.Event().wait()

        assert trial.try_fork(work) == "hanging\n"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_copy_takes_no_descriptors_away(driver, hello):
    """The spawner has after it what it had before: its channel, its lifeline, and
    the pipe for its stacks."""
    spawn = driver.spawn(hello, ("app",))
    spawn.ready()
    kinds = sorted(
        name.partition(":")[0]
        for number, name in descriptors_of(spawn.pid(APP)).items()
        if number > 2
    )
    assert kinds == ["pipe", "pipe", "socket"]
