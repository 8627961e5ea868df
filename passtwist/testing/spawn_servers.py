"""A real spawn server under the test's reactor, and what one does with it.

Runs in: tests.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import pytest_twisted

from passtwist.spawning.runtime_dir import RuntimeDir
from passtwist.spawning.subreaper import reap_orphans
from passtwist.spawning.toolkit import SpawnServer
from passtwist.testing.leftovers import child_processes
from passtwist.testing.settling import turn
from passtwist.testing.waiting import PATIENCE, PAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping

    from twisted.internet.defer import Deferred

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def acquired_runtime_dir() -> Iterator[RuntimeDir]:
    """A runtime directory of its own, with a short name, as sockets need one."""
    folder = tempfile.mkdtemp(prefix="ptw-")
    runtime = RuntimeDir(folder + "/run")
    runtime.acquire()
    try:
        yield runtime
    finally:
        runtime.release()
        shutil.rmtree(folder)


@contextmanager
def running_spawn_server(child_files: Mapping[str, str]) -> Iterator[SpawnServer]:
    """A started spawn server; it and all that it has started have ended afterwards.

    Workers are not its own: whoever spawns one ends it.  What of a failed spawn
    is still ending when the server stops would be init's in the end, as the
    controller ends too; a test goes on, so that it is reaped here.

    :param child_files: as `Registry.child_files`.
    """
    from twisted.internet import reactor

    # The module's type is that of the reactor which is installed at run time.
    installed: Any = reactor
    with acquired_runtime_dir() as runtime:
        server = SpawnServer(installed, runtime, child_files)
        before = dict(child_processes())
        server.start()
        try:
            yield server
        finally:
            result_of(server.stop())
            _reap(server, before)


def _reap(server: SpawnServer, before: Collection[int]) -> None:
    """Let end what is ending; a test that leaves more has it told by the plugin."""
    deadline = time.monotonic() + PATIENCE
    while set(dict(child_processes())).difference(before):
        reap_orphans(server.children.__contains__)
        if time.monotonic() > deadline:
            return
        turn(PAUSE)


def result_of(deferred: Deferred[T], patience: float = PATIENCE) -> T:
    """Run the reactor until *deferred* has fired.

    For fixtures; in tests, which the reactor runs, say ``await``.

    :param patience: seconds after which it is cancelled.
    :raises Exception: what it errbacks with.
    """
    from twisted.internet import reactor

    clock: Any = reactor
    deferred.addTimeout(patience, clock)
    result: T = pytest_twisted.blockon(deferred)
    return result


async def come_about(
    condition: Callable[[], bool], what: str, patience: float = PATIENCE
) -> None:
    """Let the reactor run until *condition* answers True.

    :param what: what is waited for, for the message.
    :raises AssertionError: it did not come about within *patience* seconds.
    """
    from twisted.internet import reactor, task

    clock: Any = reactor
    deadline = clock.seconds() + patience
    while not condition():
        assert clock.seconds() < deadline, f"waited in vain for {what}"
        await task.deferLater(clock, PAUSE)


def in_reactor(
    test: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, Deferred[None]]:
    """Decorate a test that is a coroutine, so that pytest-twisted awaits it."""
    decorated: Callable[P, Deferred[None]] = pytest_twisted.ensureDeferred(test)
    return decorated
