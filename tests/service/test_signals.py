"""The signals that the controller answers."""

from __future__ import annotations

import os
import signal

import pytest

from passtwist.service.signals import Signals

NUMBERS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


@pytest.fixture
def done():
    """What was done, by name; the handlers are put back."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield []
    for number, handler in before.items():
        signal.signal(number, handler)


def signals(done):
    """In place of a reactor's turn, at once."""
    names = ("stop", "stop now", "hang up", "reopen", "dump")
    actions = [lambda name=name: done.append(name) for name in names]
    return Signals(lambda action: action(), *actions)


def test_each_signal_has_its_action(done):
    """The second one to stop stops now."""
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    signals(done).install()
    for number in (*NUMBERS[::-1], signal.SIGTERM):
        os.kill(os.getpid(), number)
    assert done == ["dump", "reopen", "hang up", "stop", "stop now", "stop now"]


def test_who_comes_before_the_start_is_heard_after_it(done):
    """Not so the second one of the kind, in case that the start hangs."""
    queue = []
    names = ("stop", "stop now", "hang up", "reopen", "dump")
    actions = [lambda name=name: done.append(name) for name in names]
    early = Signals(queue.append, *actions)
    ours = signal.getsignal(signal.SIGUSR1)
    early.await_start()
    for number in (signal.SIGHUP, signal.SIGTERM):
        os.kill(os.getpid(), number)
    left = [signal.getsignal(number) for number in NUMBERS]
    assert left[0] == left[2] == signal.SIG_DFL
    assert left[3] == ours
    early.install()
    for action in queue:
        action()
    os.kill(os.getpid(), signal.SIGTERM)
    queue[-1]()
    assert done == ["hang up", "stop", "stop now"]


def test_before_the_reactor_runs_many_may_come_that_end_nothing(done):
    """Each is heard, and twistd's own handler of USR1 is called as it comes."""
    queue = []
    names = ("stop", "stop now", "hang up", "reopen", "dump")
    actions = [lambda name=name: done.append(name) for name in names]
    early = Signals(queue.append, *actions)
    early.await_start()
    signal.signal(signal.SIGUSR1, lambda number, frame: done.append("rotate"))
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    early.await_reactor()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2) * 2:
        os.kill(os.getpid(), number)
    assert done == ["rotate", "rotate"]
    early.install()
    for action in queue:
        action()
    os.kill(os.getpid(), signal.SIGUSR1)
    queue[-1]()
    assert done == [
        *["rotate"] * 2,
        *["hang up", "reopen", "dump"] * 2,
        *["rotate", "reopen"],
    ]


def test_twistd_rotates_a_log_of_its_own(done):
    """With a tac file it opens the file itself, and waits for USR1 to rotate it."""
    signal.signal(signal.SIGUSR1, lambda number, frame: done.append("rotate"))
    signals(done).install()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert done == ["rotate", "reopen"]
