"""Stacks of processes of a real spawn server, asked for and not."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.logger import globalLogPublisher

from passtwist.api.failures import NoStacks
from passtwist.model import SpawnRequest
from passtwist.spawning.stacks import Stacks
from passtwist.testing.spawn_servers import come_about

ROUTES = [(), ("app",)]


async def end(worker):
    gone = worker.when_exited()
    worker.terminate()
    await gone


@pytest.fixture
def logged():
    """The lines of stacks that went to the log, each with who told them."""
    lines = []

    def observe(event):
        if event.get("log_namespace", "").endswith(".Stacks"):
            lines.append((event["who"], event["pid"], event["text"]))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest_twisted.ensureDeferred
async def test_who_asks_gets_them_and_the_log_does_not(
    spawn_server, make_spec, route, logged
):
    """Twice in a row, and two at once."""
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), route))
    alone = await worker.stacks()
    together = await DeferredList([worker.stacks(), worker.stacks()])
    for text in (alone, *(text for _, text in together)):
        assert text.startswith("Current thread 0x")
        assert text.endswith(" in <module>\n")
        assert text.count("most recent call first") == 1
    assert logged == []
    await end(worker)


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest_twisted.ensureDeferred
async def test_what_nobody_asked_for_goes_to_the_log(
    spawn_server, make_spec, route, logged
):
    """Line by line; who asks afterwards gets nothing of that."""
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), route))
    os.kill(worker.pid, signal.SIGUSR2)
    await come_about(
        lambda: any(" in run" in text for _, _, text in logged), "the stack's end"
    )
    assert {(who, pid) for who, pid, _ in logged} == {("worker", worker.pid)}
    assert logged[0][2].startswith("Current thread 0x")
    assert (await worker.stacks()).count("most recent call first") == 1
    await end(worker)


@pytest_twisted.ensureDeferred
async def test_a_process_that_has_ended_tells_nothing(spawn_server, make_spec):
    """Neither one that ends while it is asked; at once, without waiting."""
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), ("app",)))
    os.kill(worker.pid, signal.SIGSTOP)
    asked = worker.stacks()
    gone = worker.when_exited()
    worker.kill()
    with pytest.raises(NoStacks, match=r"^it has ended"):
        await asked
    await gone
    with pytest.raises(NoStacks, match=r"^it has ended"):
        await worker.stacks()


@pytest_twisted.ensureDeferred
async def test_a_process_without_a_handler_is_not_signalled():
    """The signal would end it."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    stacks = Stacks(reactor, read, "shop", "worker", pid)
    try:
        sent = []
        with pytest.raises(NoStacks, match=r"^it is not ready to tell them"):
            await stacks.ask(sent.append)
        assert sent == []
    finally:
        stacks.close()
        os.close(write)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_line_that_does_not_end_is_logged_in_pieces(logged):
    """An app may write into the pipe what it likes; none of it is kept."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    stacks = Stacks(reactor, read, "shop", "worker", 4711)
    try:
        for _ in range(5):
            os.write(write, b"y" * 60_000)
            stacks.doRead()
        assert [text for _, _, text in logged] == ["y" * 60_000] * 5
    finally:
        stacks.close()
        os.close(write)


FLOOD = """
import os, signal
signal.signal(signal.SIGUSR2, lambda *_: None)
while True:
    os.write(1, b"y" * 65536)
"""


@pytest_twisted.ensureDeferred
async def test_who_writes_without_end_is_not_listened_to_for_ever(logged):
    """Who asked gets what there was; the server goes on."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", FLOOD],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)],
    )
    stacks = Stacks(reactor, read, "shop", "worker", pid)
    try:
        await come_about(lambda: logged, "the flood, which comes after the handler")
        assert (await stacks.ask(lambda _: None)).startswith("yyy")
    finally:
        stacks.close()
        os.close(write)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest_twisted.ensureDeferred
async def test_a_spawner_tells_as_well(spawn_server, make_spec):
    """It is no child of the controller's."""
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), ("app",)))
    (spawner,) = spawn_server.spawners()
    assert " in run\n" in await spawner.stacks()
    await end(worker)


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest_twisted.ensureDeferred
async def test_a_worker_keeps_only_its_own_pipe(spawn_server, make_spec, route):
    """Not that of the process which it was forked from."""
    first = await spawn_server.spawn(SpawnRequest(1, make_spec(), route))
    second = await spawn_server.spawn(SpawnRequest(2, make_spec(), route))
    kinds = [pipes_of(worker.pid) for worker in (first, second)]
    # stdout, stderr, the lifeline and the stacks: three pipes, none of them shared.
    assert [len(pipes) for pipes in kinds] == [3, 3]
    assert kinds[0].isdisjoint(kinds[1])
    await end(first)
    await end(second)


def pipes_of(pid):
    folder = f"/proc/{pid}/fd"
    found = {os.readlink(f"{folder}/{name}") for name in os.listdir(folder)}
    return {one for one in found if one.startswith("pipe:")}
