"""Responses to clients that are slower than workers, on a transport that buffers."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from passtwist.http.buffer_space import BufferSpace
from passtwist.http.config import FrontEndConfig, HttpLimits
from passtwist.http.output import PATIENCE, Output
from passtwist.http.spool import Spool, open_unlinked
from passtwist.http.spool_queue import SpoolQueue

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
    assert len(spools_of_this_process()) == before
    assert bench.pool.last.calls == ["pause"]
    lose_patience(bench)
    assert len(spools_of_this_process()) == before + 1
    assert bench.pool.last.calls == ["pause", "resume"]
    responder.write(b"d" * 10)
    assert client.take() == b""
    assert (bench.front.space.memory, bench.front.space.spooled) == (60, 80)
    client.transport.producer.resumeProducing()
    assert client.take() == b"a" * 60 + b"b" * 60 + b"c" * 10 + b"d" * 10
    assert len(spools_of_this_process()) == before
    assert bench.pool.last.calls == ["pause", "resume"]
    assert (bench.front.space.memory, bench.front.space.spooled) == (0, 0)


def test_a_client_that_is_only_a_little_slower_needs_no_file(bench):
    """Its worker is held for a moment, again and again."""
    bench.configure(response_memory=100)
    before = len(spools_of_this_process())
    client = bench.connect()
    responder = begin(bench, client)
    producer = client.transport.producer
    for rounds in range(3):
        producer.pauseProducing()
        responder.write(b"x" * 200)
        assert bench.pool.last.calls == ["pause", "resume"] * rounds + ["pause"]
        bench.clock.advance(PATIENCE / 2)
        producer.resumeProducing()
        assert bench.pool.last.calls == ["pause", "resume"] * (rounds + 1)
        bench.clock.advance(PATIENCE)
        bench.clock.advance(0)
        assert len(spools_of_this_process()) == before
    assert client.take() == b"x" * 600


def lose_patience(bench):
    """A while passes in which no client takes anything."""
    bench.clock.advance(PATIENCE)
    bench.clock.advance(0)


def test_the_worker_waits_when_the_file_is_full(bench):
    """Resumed when the client has taken everything."""
    bench.configure(response_memory=10, response_spool=1000)
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    responder.write(b"x" * 100)
    lose_patience(bench)
    for _ in range(8):
        responder.write(b"x" * 100)
    assert bench.pool.last.calls == ["pause", "resume"]
    responder.write(b"x" * 100)
    responder.write(b"x" * 100)
    assert bench.pool.last.calls == ["pause", "resume", "pause"]
    client.transport.producer.resumeProducing()
    assert bench.pool.last.calls == ["pause", "resume"] * 2
    assert client.take() == b"x" * 1100


def test_all_clients_together_have_so_much_memory(bench):
    """What exceeds it goes to disk, however little its own client has there."""
    config = FrontEndConfig(spool_dir=str(bench.folder), max_buffers=100)
    bench.configure(config=config)
    first, second = bench.connect(), bench.connect()
    for client in (first, second):
        responder = begin(bench, client)
        client.transport.producer.pauseProducing()
        responder.write(b"x" * 80)
    lose_patience(bench)
    space = bench.front.space
    assert (space.memory, space.spooled) == (80, 80)
    for client in (first, second):
        client.transport.producer.resumeProducing()
        assert client.take() == b"x" * 80
    assert (space.memory, space.spooled) == (0, 0)


def test_all_clients_together_have_so_much_disk(bench):
    """Then workers wait; with the client's next read they go on."""
    config = FrontEndConfig(spool_dir=str(bench.folder), max_spool=100)
    bench.configure(config=config, response_memory=10)
    clients, sessions = [bench.connect(), bench.connect()], []
    for client in clients:
        responder = begin(bench, client)
        sessions.append(bench.pool.last)
        client.transport.producer.pauseProducing()
        responder.write(b"x" * 80)
    lose_patience(bench)
    calls = [session.calls for session in sessions]
    assert calls == [["pause", "resume"], ["pause"]]
    for client in clients:
        client.transport.producer.resumeProducing()
        assert client.take() == b"x" * 80
    assert calls == [["pause", "resume"]] * 2
    assert bench.front.space.spooled == 0


def test_without_a_file_the_worker_waits_at_once(bench, lines):
    """Nothing is lost when the folder is gone; the log names the request, whether its
    worker is still at it or not.
    """
    folder = bench.folder / "spool"
    folder.mkdir()
    config = FrontEndConfig(spool_dir=str(folder))
    bench.configure(config=config, response_memory=10)
    folder.rmdir()
    client = bench.connect()
    responder = begin(bench, client)
    client.transport.producer.pauseProducing()
    responder.write(b"a" * 20)
    assert bench.pool.last.calls == ["pause"]
    responder.write(b"b" * 20)
    lose_patience(bench)
    assert bench.pool.last.calls == ["pause"]
    client.transport.producer.resumeProducing()
    assert client.take() == b"a" * 20 + b"b" * 20
    assert bench.pool.last.calls == ["pause", "resume"]
    other = bench.connect()
    other.send(GET)
    other.transport.producer.pauseProducing()
    bench.pool.last.responder.answer(b"404 Not Found\r\n", b"x" * 100)
    lose_patience(bench)
    error = f"[Errno 2] No such file or directory: '{bench.folder}"
    why = f"no file for the response: {error}"
    assert [line.partition("/spool/")[0] for line in lines] == [
        f"request id-1 of shop: 200: {why}",
        f"request id-2 of shop: 404: {why}",
    ]


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
    lose_patience(bench)
    assert len(spools_of_this_process()) == before + 1
    client.leave()
    assert len(spools_of_this_process()) == before
    assert bench.front.space.spooled == 0


class Owner:
    """Remembers whether it was told to wait."""

    def __init__(self):
        self.full = False
        self.drained = 0

    def output_full(self):
        self.full = True

    def output_roomy(self):
        self.full = False

    def output_drained(self):
        self.full = False
        self.drained += 1

    def output_waits(self):
        pass

    def output_suffers(self, reason):
        raise AssertionError(reason)

    def output_lost(self):
        raise AssertionError("nothing was lost")


class Limited(Owner):
    """Knows that the disk may have no more room for it."""

    def output_suffers(self, reason):
        assert "max_spool is reached" in reason


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
        | st.tuples(st.just("drain"), st.integers(0, 40))
        | st.tuples(st.just("pass time"), st.just(0)),
        max_size=30,
    )
)
@example(
    [("write", b"x"), ("write", b"y" * 22), ("pass time", 0), ("write", b"z" * 29)]
)
def test_bytes_come_in_order_however_they_are_taken(steps):
    """Through memory, file and back, with tiny limits."""
    limits = HttpLimits(response_memory=20, response_spool=60)
    owner, pipe, clock, space = Limited(), Pipe(), Clock(), BufferSpace(30, 50)
    output = Output(pipe, owner, limits, "", space, clock)
    written = b""
    for step, value in steps:
        if step == "write":
            output.write(value)
            written += value
        elif step == "pass time":
            clock.advance(PATIENCE)
            clock.advance(0)
        else:
            pipe.drain(value)
        assert written.startswith(pipe.taken)
    pipe.drain(10**6)
    assert pipe.taken == written
    assert (output.waiting, owner.full) == (False, False)
    assert (space.memory, space.spooled, clock.getDelayedCalls()) == (0, 0, [])
    output.close()


def test_a_spool_is_a_queue():
    """First in, first out, and without a name."""
    space = BufferSpace()
    spool = Spool("", space)
    assert spool.append(b"hello") == 5
    assert spool.take(2) == b"he"
    assert spool.append(memoryview(b"world")) == 5
    assert (spool.pending, spool.written, spool.taken) == (8, 10, 2)
    assert spool.take(100) == b"lloworld"
    assert spool.take(100) == b""
    assert space.spooled == 10
    spool.close()
    spool.close()
    assert space.spooled == 0


def test_a_spool_on_a_full_disk_says_how_much_it_took():
    """/dev/full is a disk that is always full."""
    space = BufferSpace()
    spool = Spool("", space)
    os.close(spool.detach())
    spool._descriptor = os.open("/dev/full", os.O_RDWR)
    assert spool.append(b"hello") == 0
    assert (spool.pending, space.spooled) == (0, 0)
    assert spool.lacks == "[Errno 28] No space left on device"
    spool.close()


def test_a_spool_takes_no_more_than_all_of_them_may_have():
    """And says so."""
    space = BufferSpace(max_spool=7)
    first, second = Spool("", space), Spool("", space)
    assert (first.append(b"hello"), second.append(b"hello")) == (5, 2)
    assert (first.lacks, second.lacks) == ("", "max_spool is reached")
    assert second.append(b"more") == 0
    first.close()
    assert second.append(b"more") == 4
    assert second.take(100) == b"hemore"
    second.close()
    assert space.spooled == 0


@given(
    steps=st.lists(
        st.tuples(st.just("append"), st.binary(max_size=40))
        | st.tuples(st.just("take"), st.integers(1, 40)),
        max_size=30,
    ),
    room=st.integers(20, 200),
)
def test_a_queue_of_files_is_a_queue_and_gives_back_what_was_taken(steps, room):
    """Each file is given back when it was taken; all of them at the end."""
    before = len(spools_of_this_process())
    space = BufferSpace(max_spool=room)
    queue = SpoolQueue("", space, file_size=10)
    written = taken = b""
    for step, value in steps:
        if step == "append":
            done = queue.append(value)
            assert (done < len(value)) == bool(queue.lacks)
            queue.lacks = ""
            written += value[:done]
        else:
            piece = queue.take(value)
            assert bool(piece) == (len(taken) < len(written))
            taken += piece
        assert written.startswith(taken)
        assert queue.pending == len(written) - len(taken)
        # The first of them may have been taken, and the last not be full.
        assert queue.pending <= space.spooled <= min(room, queue.pending + 20)
    queue.close()
    assert space.spooled == 0
    assert len(spools_of_this_process()) == before


def test_a_queue_of_files_without_another_file_says_so(tmp_path):
    """And keeps what it has."""
    space = BufferSpace()
    folder = tmp_path / "spool"
    folder.mkdir()
    queue = SpoolQueue(str(folder), space, file_size=10)
    folder.rmdir()
    assert queue.append(b"x" * 15) == 10
    assert "No such file or directory" in queue.lacks
    assert queue.take(100) == b"x" * 10
    assert queue.take(100) == b""
    queue.close()


def test_a_folder_without_unnamed_files_is_used_all_the_same(tmp_path, monkeypatch):
    """The name is gone before a byte is written."""
    monkeypatch.setattr(os, "O_TMPFILE", os.O_WRONLY | os.O_DIRECTORY)
    descriptor = open_unlinked(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)
