"""Responses to clients that are slower than workers, on a transport that buffers."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.config import FrontEndConfig, HttpLimits
from passtwist.http.output import Output
from passtwist.http.spool import Spool, open_unlinked

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def begin(bench, client):
    """A streamed response of unknown length; its responder."""
    client.send(GET)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\nContent-Length: 1000000\r\n")
    client.take()
    return responder


def spools_of_this_process():
    """Unlinked files that this process has open."""
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink("/proc/self/fd/" + name))
        except FileNotFoundError:
            continue
    return [target for target in targets if target.endswith("(deleted)")]


def test_what_the_client_does_not_take_waits_in_memory_then_in_a_file(bench):
    """And comes in order; the file is given back when all was taken."""
    bench.configure(response_memory=100)
    before = len(spools_of_this_process())
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    responder.write(b"a" * 60)
    assert len(spools_of_this_process()) == before
    responder.write(b"b" * 60)
    responder.write(b"c" * 10)
    assert len(spools_of_this_process()) == before + 1
    assert client.take() == b""
    client.transport.producer.resumeProducing()
    assert client.take() == b"a" * 60 + b"b" * 60 + b"c" * 10
    assert len(spools_of_this_process()) == before
    assert bench.pool.last.calls == []


def test_the_worker_waits_only_when_the_file_is_full(bench):
    """Paused once, resumed when the client has taken everything."""
    bench.configure(response_memory=10, response_spool=1000)
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    for _ in range(9):
        responder.write(b"x" * 100)
    assert bench.pool.last.calls == []
    responder.write(b"x" * 100)
    responder.write(b"x" * 100)
    assert bench.pool.last.calls == ["pause"]
    client.transport.producer.resumeProducing()
    assert bench.pool.last.calls == ["pause", "resume"]
    assert client.take() == b"x" * 1100


def test_without_a_file_the_worker_waits_at_once(bench):
    """Nothing is lost when the folder is gone."""
    config = FrontEndConfig(spool_dir=str(bench.folder / "missing"))
    bench.configure(config=config, response_memory=10)
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    responder.write(b"a" * 20)
    assert bench.pool.last.calls == ["pause"]
    responder.write(b"b" * 20)
    client.transport.producer.resumeProducing()
    assert client.take() == b"a" * 20 + b"b" * 20
    assert bench.pool.last.calls == ["pause", "resume"]


def test_a_client_too_slow_for_an_answer_within_submit_still_holds_the_worker(bench):
    """The session that has to pause is not known yet when it has to."""
    bench.configure(response_memory=10, response_spool=10)

    def stream(session):
        session.responder.begin(b"200 OK\r\n")
        session.responder.write(b"x" * 100)

    bench.pool._answer = stream
    client = bench.connect()
    client.transport.producer.pauseProducing()
    client.send(GET)
    assert bench.pool.last.calls == ["pause"]


def test_the_next_request_waits_until_the_response_was_taken(bench):
    """So no client makes responses pile up."""
    client = bench.connect()
    client.send(GET)
    client.transport.producer.pauseProducing()
    bench.pool.last.responder.answer(b"200 OK\r\n", b"one")
    client.send(GET)
    assert len(bench.pool.sessions) == 1
    client.transport.producer.resumeProducing()
    assert client.take().endswith(b"one")
    assert len(bench.pool.sessions) == 2


def test_the_connection_closes_only_when_all_was_taken(bench):
    """The last response of a connection is as complete as any."""
    client = bench.connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    client.transport.producer.pauseProducing()
    bench.pool.last.responder.answer(b"200 OK\r\n", b"one")
    assert not client.closed
    client.transport.producer.resumeProducing()
    assert client.take().endswith(b"one")
    assert client.closed


def test_a_client_that_leaves_gives_the_file_back(bench):
    """Nobody will read the rest."""
    bench.configure(response_memory=10)
    before = len(spools_of_this_process())
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    responder.write(b"x" * 100)
    client.leave()
    assert len(spools_of_this_process()) == before


class Owner:
    """Remembers whether it was told to wait."""

    def __init__(self):
        self.full = False
        self.drained = 0

    def output_full(self):
        self.full = True

    def output_drained(self):
        self.full = False
        self.drained += 1

    def output_progressed(self):
        pass

    def output_lost(self):
        raise AssertionError("nothing was lost")


class Pipe:
    """A transport with room for so many bytes."""

    def __init__(self):
        self.taken = b""
        self.room = 0

    def registerProducer(self, producer, streaming):
        self.producer = producer
        assert streaming

    def unregisterProducer(self):
        self.producer = None

    def write(self, data):
        self.taken += data
        self.room -= len(data)
        if self.room < 0:
            self.producer.pauseProducing()

    def drain(self, room):
        self.room = room
        self.producer.resumeProducing()


@given(
    st.lists(
        st.tuples(st.just("write"), st.binary(max_size=30))
        | st.tuples(st.just("drain"), st.integers(0, 40)),
        max_size=30,
    )
)
def test_bytes_come_in_order_however_they_are_taken(steps):
    """Through memory, file and back, with tiny limits."""
    limits = HttpLimits(response_memory=20, response_spool=60)
    owner, pipe = Owner(), Pipe()
    output = Output(pipe, owner, limits, "")
    written = b""
    for step, value in steps:
        if step == "write":
            output.write(value)
            written += value
        else:
            pipe.drain(value)
        assert written.startswith(pipe.taken)
    pipe.drain(10**6)
    assert pipe.taken == written
    assert (output.waiting, owner.full) == (False, False)
    output.close()


def test_a_spool_is_a_queue():
    """First in, first out, and without a name."""
    spool = Spool("")
    assert spool.append(b"hello") == 5
    assert spool.take(2) == b"he"
    assert spool.append(memoryview(b"world")) == 5
    assert (spool.pending, spool.written, spool.taken) == (8, 10, 2)
    assert spool.take(100) == b"lloworld"
    assert spool.take(100) == b""
    spool.close()
    spool.close()


def test_a_spool_on_a_full_disk_says_how_much_it_took():
    """/dev/full is a disk that is always full."""
    spool = Spool("")
    os.close(spool.detach())
    spool._descriptor = os.open("/dev/full", os.O_RDWR)
    assert spool.append(b"hello") == 0
    assert spool.pending == 0
    spool.close()


def test_a_folder_without_unnamed_files_is_used_all_the_same(tmp_path, monkeypatch):
    """The name is gone before a byte is written."""
    monkeypatch.setattr(os, "O_TMPFILE", os.O_WRONLY | os.O_DIRECTORY)
    descriptor = open_unlinked(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)
