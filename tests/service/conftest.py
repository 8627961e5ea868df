"""A worker played by the test: real Unix sockets, the real codec, no process."""

from __future__ import annotations

import mmap
import os
import select
import shutil
import socket
import tempfile

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from passtwist.api.interfaces import IRequest, IResponder, IWorker
from passtwist.model import ExitStatus
from passtwist.testing.reactor import HandReactor
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.scoreboard import NUMBER, PAGE_SIZE, slot_base
from passtwist.wire.session import START, decode_request_start, encode_ready


@implementer(IRequest)
class PlainRequest:
    """A request with the given body."""

    def __init__(
        self,
        body=b"",
        body_file=None,
        body_length=None,
        pairs=None,
        body_stream=None,
        upgrade=(),
    ):
        self.pairs = pairs or [b"REQUEST_METHOD", b"GET", b"PATH_INFO", b"/"]
        self.body = body
        self.body_file = body_file
        self.body_stream = body_stream
        self.body_length = len(body) if body_length is None else body_length
        self.method = b"GET"
        self.path = b"/"
        self.upgrade = upgrade


@implementer(IResponder)
class Recorder:
    """Writes down what it is told."""

    def __init__(self):
        self.calls = []
        self.failures = []

    def answer(self, head, body):
        self.calls.append(("answer", head, body))

    def begin(self, head):
        self.calls.append(("begin", head))

    def write(self, data):
        self.calls.append(("write", bytes(data)))

    def finish(self):
        self.calls.append(("finish",))

    def interim(self, head):
        self.calls.append(("interim", head))

    def upgrade(self, head, worker):
        self.calls.append(("upgrade", head))

    def fail(self, failure):
        self.calls.append(("fail", failure.status))
        self.failures.append(failure)

    def whole(self):
        """The response put together, however it came."""
        head = body = b""
        for name, *values in self.calls:
            if name == "answer":
                head, body = values
            elif name == "begin":
                head = values[0]
            elif name == "write":
                body += values[0]
        assert self.calls[-1][0] in ("answer", "finish"), self.calls
        return head, body


@implementer(IWorker)
class PlayedWorker:
    """Listens like a worker; the test accepts, reads and answers."""

    protocol = "session"
    upgrades = ()
    spawn_seconds = 0.01
    journey = ()

    def __init__(self, folder, concurrency=1, pid=4711):
        self.pid = pid
        self.concurrency = concurrency
        self.spawn_method = "played"
        self.socket_path = os.path.join(folder, f"w{pid}")
        self.page = mmap.mmap(-1, PAGE_SIZE)
        self.scoreboard = memoryview(self.page).cast("Q")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket_path)
        self.listener.listen(16)
        self.listener.settimeout(5)
        self.connections = []
        self.asked = []
        self._exited = []
        self._stacks = []

    def when_exited(self):
        self._exited.append(Deferred())
        return self._exited[-1]

    def terminate(self):
        self.asked.append("terminate")

    def kill(self):
        self.asked.append("kill")

    def reopen_log(self):
        self.asked.append("reopen_log")

    def stacks(self):
        self.asked.append("stacks")
        self._stacks.append(Deferred())
        return self._stacks[-1]

    # --- for tests

    def accept(self):
        """Accept one connection and say READY on it."""
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        slot = len(self.connections)
        self.connections.append(connection)
        connection.sendall(encode_ready(slot))
        return Served(connection, slot, self)

    def tell_stacks(self, stacks="Thread 0x1:"):
        """Who asked for stacks gets them, or the exception."""
        asked = self._stacks.pop(0)
        if isinstance(stacks, Exception):
            asked.errback(stacks)
        else:
            asked.callback(stacks)

    def exit(self, status=None):
        """The process ends: everything closes, then its exit is seen."""
        self.listener.close()
        for connection in self.connections:
            connection.close()
        for deferred in self._exited:
            deferred.callback(status or ExitStatus(code=0))

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Served:
    """One accepted connection, at the worker's end."""

    def __init__(self, connection, slot, worker):
        self.socket = connection
        self.slot = slot
        self.worker = worker
        self.reader = FrameReader(MAX_SESSION_PAYLOAD)

    def read_request(self, begin=True):
        """Read a request; with *begin* note it on the scoreboard."""
        frames = []
        while not frames or not (frames[-1][1] & 1 or frames[-1][0] == 3):
            frames += self.reader.feed(self.socket.recv(65536))
        assert frames[0][0] == START
        self.number, environ = decode_request_start(frames[0][2])
        if begin:
            self.note_begun()
        return environ, b"".join(
            payload for kind, _, payload in frames[1:] if kind == 2
        )

    def note_begun(self):
        """The app is called for the request that was read last."""
        self.worker.scoreboard[slot_base(self.slot) + NUMBER] = self.number

    def has_something(self):
        """Whether there is something to be read."""
        readable, _, _ = select.select([self.socket], [], [], 0)
        return bool(readable)

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


verifyClass(IResponder, Recorder)


@pytest.fixture
def reactor():
    return HandReactor()


@pytest.fixture
def make_worker():
    """Make played workers; closed at the end."""
    folder = tempfile.mkdtemp(prefix="ptw-")
    workers = []

    def make(**fields):
        worker = PlayedWorker(folder, pid=4711 + len(workers), **fields)
        verifyObject(IWorker, worker)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.close()
    shutil.rmtree(folder)


@pytest.fixture
def make_world(reactor, make_worker):
    """Make worlds (`world.World`); nothing of them is left at the end."""
    # Here, because it builds on this module.
    from .world import World

    worlds = []

    def make(**limits):
        worlds.append(World(reactor, make_worker, **limits))
        return worlds[-1]

    yield make
    for world in worlds:
        for hand in world.hands:
            hand.close()
        world.driver.stop()
    for reader in list(reactor.readers):
        reader.close()


@pytest.fixture
def make_crowd(make_world):
    """Make worlds in which one request was sent ahead (`hands.crowd`)."""
    from .hands import crowd

    def make(workers=1, **limits):
        return crowd(make_world(max_pool_size=workers, **limits), workers)

    return make


@pytest.fixture
def ends():
    """Both ends of a pair of sockets that do not block."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    with ours, theirs:
        yield ours, theirs
