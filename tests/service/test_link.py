"""Sessions on the connections of one worker."""

from __future__ import annotations

import os
import resource
import socket
import tempfile

import pytest

from passtwist.service.poller import Poller
from passtwist.service.sessions.connection import DISCARD_SECONDS
from passtwist.service.sessions.link import READY_WITHIN, TRY_AGAIN, WorkerLink
from passtwist.service.sessions.session import Session
from passtwist.wire.frames import encode_frame
from passtwist.wire.session import (
    BODY,
    END,
    FAIL,
    INTERIM,
    LAST,
    decode_body_file,
    encode_body,
    encode_response_start,
)

from .conftest import PlainRequest, Recorder

HEAD = b"200 OK\r\nContent-Type: text/plain\r\n"
WHOLE = encode_response_start(HEAD) + encode_body(b"hello", last=True)


class PlayedGateway:
    """Knows who waits; notes what the link gives back."""

    def __init__(self):
        self.waiting = []
        self.places_freed = 0
        self.given_back = []
        self.lost = []

    def place_free(self, link, begun=None):
        assert begun is None
        self.places_freed += 1
        return self.waiting.pop(0) if self.waiting else None

    def next_for(self, link, since):
        """None is to follow."""

    def not_begun(self, session):
        self.given_back.append(session)

    def link_lost(self, link):
        self.lost.append(link)

    def cancel(self, session):
        self.waiting.remove(session)


@pytest.fixture
def gateway():
    return PlayedGateway()


@pytest.fixture
def make_session(gateway):
    numbers = iter(range(1, 1000))

    def make(**fields):
        request = PlainRequest(**fields)
        return Session(gateway, "app", next(numbers), request, Recorder(), 0.0)

    return make


@pytest.fixture
def linked(reactor, gateway, make_worker):
    """A worker with one connection that is ready."""
    return link_to(reactor, gateway, make_worker())


def link_to(reactor, gateway, worker):
    link = WorkerLink(reactor, gateway, 1, worker)
    ready = []
    link.connect().addBoth(ready.append)
    served = [worker.accept() for _ in range(worker.concurrency)]
    assert not ready
    reactor.settle()
    assert ready == [None]
    return link, worker, served


@pytest.fixture(autouse=True)
def _close(reactor):
    yield
    for reader in list(reactor.readers):
        reader.close()


def run(link, session, reactor, served, answer=WHOLE):
    link.run(session)
    seen = served.read_request()
    served.send(answer)
    reactor.settle()
    return seen


def test_a_link_is_ready_when_each_connection_has_said_so(
    reactor, gateway, make_worker
):
    """A worker with three threads is capacity only once all three serve."""
    worker = make_worker(concurrency=3)
    link = WorkerLink(reactor, gateway, 1, worker)
    ready = []
    link.connect().addBoth(ready.append)
    for _ in range(3):
        assert ready == []
        worker.accept()
        reactor.settle()
    assert ready == [None]
    link.close()


@pytest.fixture
def no_descriptors():
    """Lets this process open nothing more, until it is told that it may again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(is_short):
        # Numbers that are free again during the test have to be too high, too.
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 if is_short else soft, hard))

    yield limit
    limit(False)


def test_a_worker_is_not_given_up_for_want_of_a_descriptor(
    reactor, linked, make_session, no_descriptors
):
    """Its connection is made anew once there is one again."""
    link, worker, (served,) = linked
    no_descriptors(True)
    served.close()
    reactor.settle()
    reactor.advance(3 * TRY_AGAIN)
    assert not link.is_lost
    session = make_session()
    link.run(session)
    no_descriptors(False)
    reactor.advance(TRY_AGAIN)
    again = worker.accept()
    reactor.settle()
    environ, body = again.read_request()
    assert (environ["REQUEST_METHOD"], body) == ("GET", b"")
    link.close()
    assert reactor.getDelayedCalls() == []


def test_a_link_that_is_closed_tries_no_more(reactor, linked, no_descriptors):
    link, _, (served,) = linked
    no_descriptors(True)
    served.close()
    reactor.settle()
    assert len(reactor.getDelayedCalls()) == 1
    link.close()
    assert reactor.getDelayedCalls() == []


def test_a_link_does_not_wait_for_ever_for_a_worker_to_be_ready(
    reactor, gateway, make_worker
):
    """A worker that listens but takes no connection is no worker."""
    link = WorkerLink(reactor, gateway, 1, make_worker())
    failures = []
    link.connect().addErrback(failures.append)
    reactor.advance(READY_WITHIN - 0.1)
    assert failures == []
    reactor.advance(0.1)
    (failure,) = failures
    assert failure.check(OSError)
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    "answer", [WHOLE, encode_response_start(HEAD, LAST)], ids=["body", "no body"]
)
@pytest.mark.parametrize(
    "more",
    [encode_response_start(b"200 OK\r\nA: evil\r\n", LAST), WHOLE, WHOLE[:-1]],
    ids=["head", "whole", "cut"],
)
def test_what_a_worker_says_behind_an_answer_is_nobodys_answer(
    linked, reactor, make_session, gateway, answer, more
):
    """The next session gets its own, on another connection."""
    link, worker, (served,) = linked
    first, second = make_session(), make_session()
    gateway.waiting = [second]
    link.run(first)
    served.read_request()
    served.send(answer + more)
    reactor.settle()
    assert first.responder.whole()[0] == HEAD
    assert second.responder.calls == []
    assert served.socket.recv(100) == b""
    served = worker.accept()
    reactor.settle()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    assert second.responder.calls == [("answer", HEAD, b"hello")]


def test_a_response_in_one_read_is_one_call(linked, reactor, make_session, gateway):
    """The fast path: answer() and nothing else, after the place was freed."""
    link, _, (served,) = linked
    session = make_session()
    environ, body = run(link, session, reactor, served)
    assert environ == {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    assert body == b""
    assert session.responder.calls == [("answer", HEAD, b"hello")]
    assert (gateway.places_freed, link.requests, session.ended) == (1, 1, True)


def test_the_worker_gets_the_next_session_at_once(
    linked, reactor, make_session, gateway
):
    """The end of one session sends the next, without waiting for the client."""
    link, _, (served,) = linked
    first, second = make_session(), make_session()
    gateway.waiting.append(second)
    run(link, first, reactor, served)
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    assert second.responder.calls == [("answer", HEAD, b"hello")]
    assert (second.worker, second.worker_pid, second.attempts) == (1, 4711, 1)


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_response_may_come_in_any_pieces(linked, reactor, make_session, cut):
    """Wherever the stream is cut, the client gets the same."""
    link, _, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    served.send(WHOLE[:cut])
    reactor.settle()
    served.send(WHOLE[cut:])
    reactor.settle()
    assert session.responder.whole() == (HEAD, b"hello")


def test_a_response_is_handed_on_as_it_comes(linked, reactor, make_session):
    """Early hints, head, pieces, end: each at once."""
    link, _, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    calls = session.responder.calls
    for sent, told in [
        (encode_frame(INTERIM, b"103 Early Hints\r\n"), "interim"),
        (encode_response_start(HEAD), "begin"),
        (encode_frame(BODY, b"one"), "write"),
        (encode_frame(BODY, b"two"), "write"),
        (encode_frame(END), "finish"),
    ]:
        served.send(sent)
        reactor.settle()
        assert calls[-1][0] == told
    assert session.responder.whole() == (HEAD, b"onetwo")


def test_a_body_goes_along(linked, reactor, make_session):
    """A small body is in the same write; a large one arrives whole too."""
    link, _, (served,) = linked
    small, large = make_session(body=b"x" * 100), make_session(body=b"y" * 60_000)
    assert run(link, small, reactor, served)[1] == b"x" * 100
    assert run(link, large, reactor, served)[1] == b"y" * 60_000


def test_a_spooled_body_travels_as_a_descriptor(linked, reactor, make_session):
    """The worker gets the file itself and its length."""
    link, _, (served,) = linked
    with tempfile.TemporaryFile() as file:
        file.write(b"z" * 200_000)
        file.flush()
        session = make_session(body_file=file.fileno(), body_length=200_000)
        link.run(session)
        data, fds, _, _ = socket.recv_fds(served.socket, 65536, 4)
        frames = served.reader.feed(data)
        assert decode_body_file(frames[-1][2]) == 200_000
        assert os.pread(fds[0], 300_000, 0) == b"z" * 200_000
        os.close(fds[0])


def test_an_exception_in_mid_response_is_502_and_the_connection_replaced(
    linked, reactor, make_session, gateway
):
    """FAIL: the client is told; the place is free only when a new READY came."""
    link, worker, (served,) = linked
    session, next_one = make_session(), make_session()
    link.run(session)
    served.read_request()
    served.send(encode_response_start(HEAD) + encode_frame(FAIL))
    served.close()
    reactor.settle()
    assert session.responder.calls == [("begin", HEAD), ("fail", 502)]
    assert gateway.places_freed == 0
    gateway.waiting.append(next_one)
    again = worker.accept()
    reactor.settle()
    assert gateway.places_freed == 1
    again.read_request()
    again.send(WHOLE)
    reactor.settle()
    assert next_one.responder.calls == [("answer", HEAD, b"hello")]


def test_a_request_that_was_not_begun_is_given_back(
    linked, reactor, make_session, gateway
):
    """The worker died and its scoreboard does not show the number."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request(begin=False)
    worker.close()
    reactor.settle()
    assert gateway.given_back == [session]
    assert gateway.lost == [link]
    assert session.responder.calls == []


def test_a_begun_request_is_never_given_back(linked, reactor, make_session, gateway):
    """The worker died and its scoreboard shows the number: 502, once."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    worker.close()
    reactor.settle()
    assert gateway.given_back == []
    assert session.responder.calls == [("fail", 502)]


def test_the_last_answer_of_a_dead_worker_is_delivered(
    linked, reactor, make_session, gateway
):
    """What it had sent before it died is read before anything is failed."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    served.send(WHOLE)
    worker.close()
    link.worker_exited()
    assert session.responder.calls == [("answer", HEAD, b"hello")]
    assert gateway.given_back == []


def test_a_cut_answer_of_a_dead_worker_is_502(linked, reactor, make_session):
    """Half an answer is never presented as one."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    served.send(WHOLE[:-2])
    worker.close()
    link.worker_exited()
    assert session.responder.calls[-1] == ("fail", 502)
    assert ("finish",) not in session.responder.calls


def test_an_abandoned_response_is_dropped_until_its_end(
    linked, reactor, make_session, gateway
):
    """The worker stays busy until it has finished; nobody is told anything."""
    link, _, (served,) = linked
    session = make_session()
    recorder = session.responder
    link.run(session)
    served.read_request()
    served.send(encode_response_start(HEAD))
    reactor.settle()
    session.abandon()
    served.send(encode_frame(BODY, b"more"))
    reactor.settle()
    assert gateway.places_freed == 0
    served.send(encode_frame(END))
    reactor.settle()
    assert gateway.places_freed == 1
    assert recorder.calls == [("begin", HEAD)]
    assert reactor.getDelayedCalls() == []


def test_an_endless_abandoned_response_is_ended_by_closing(
    linked, reactor, make_session, gateway
):
    """The app sees its next write fail; the place is free with the new READY."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    session.abandon()
    served.send(encode_response_start(HEAD))
    reactor.settle()
    reactor.advance(DISCARD_SECONDS)
    with pytest.raises(OSError):
        while True:
            served.send(encode_frame(BODY, b"x" * 1000))
    worker.accept()
    reactor.settle()
    assert gateway.places_freed == 1


def test_a_paused_session_takes_nothing_from_the_worker(linked, reactor, make_session):
    """Back-pressure for a client that is too slow."""
    link, _, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    served.send(encode_response_start(HEAD))
    reactor.settle()
    session.pause()
    served.send(encode_frame(BODY, b"later", LAST))
    reactor.settle()
    assert session.responder.calls == [("begin", HEAD)]
    session.resume()
    reactor.settle()
    assert session.responder.whole() == (HEAD, b"later")


@pytest.mark.parametrize(
    "nonsense",
    [
        encode_frame(99, b"?"),
        encode_frame(END),
        encode_frame(BODY, b"before START"),
        encode_response_start(HEAD) * 2,
        b"\x01\x00\xff\xff\xff\xff",
    ],
)
def test_nonsense_from_a_worker_fails_the_session(
    linked, reactor, make_session, nonsense
):
    """A broken protocol is a 502, and the connection is not used again."""
    link, worker, (served,) = linked
    session = make_session()
    link.run(session)
    served.read_request()
    served.send(nonsense)
    reactor.settle()
    assert session.responder.calls[-1] == ("fail", 502)
    assert served.socket.recv(100) == b""
    worker.accept()


def test_a_forged_environ_is_refused_before_it_is_sent(
    linked, reactor, make_session, gateway
):
    """A NUL in a pair would add pairs of its own: 400, and the place is free."""
    link, _, (served,) = linked
    session = make_session(pairs=[b"PATH_INFO", b"/a\0REMOTE_USER\0admin"])
    link.run(session)
    assert session.responder.calls == [("fail", 400)]
    assert gateway.places_freed == 1
    run(link, make_session(), reactor, served)


class Failing(Recorder):
    """Can't take its response: a bug of ours, or of a plugin."""

    def answer(self, head, body):
        raise ArithmeticError(head)


class Watching(Poller):
    """Watches the connections in the reactor's place, as in a server."""

    def settle(self):
        self._reactor.settle()


def test_who_can_not_take_a_response_leaves_no_connection_behind(
    reactor, gateway, make_worker, make_session, logged_failures
):
    """The next client, who may be on its way already, does not wait for ever."""
    poller = Watching(reactor)
    link, worker, (served,) = link_to(poller, gateway, make_worker())
    first, second = make_session(), make_session()
    first.responder = Failing()
    gateway.waiting.append(second)
    run(link, first, poller, served)
    assert second.responder.calls == [("fail", 502)]
    assert [each.type for each in logged_failures.flush()] == [ArithmeticError]
    again = worker.accept()
    poller.settle()
    third = make_session()
    run(link, third, poller, again)
    assert third.responder.calls == [("answer", HEAD, b"hello")]
    link.close()
