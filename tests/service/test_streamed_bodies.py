"""Bodies that go on to a worker as they come."""

from __future__ import annotations

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import IBodyStream
from passtwist.service.sessions.session import Session
from passtwist.wire.frames import encode_frame
from passtwist.wire.session import (
    BODY,
    END,
    FAIL,
    LAST,
    START,
    STREAMED,
    WANT,
    encode_body,
    encode_response_start,
)

from .conftest import PlainRequest, Recorder
from .test_link import PlayedGateway, link_to

HEAD = b"200 OK\r\n"
WHOLE = encode_response_start(HEAD) + encode_body(b"hello", last=True)
ASKED = encode_frame(WANT)


@implementer(IBodyStream)
class Stream:
    """The client's end: says what it is told."""

    def __init__(self):
        self.taker = None
        self.calls = []

    def begin(self, taker):
        self.taker = taker
        self.calls.append("begin")

    def proceed(self):
        self.calls.append("proceed")

    def leave(self):
        self.calls.append("leave")


verifyClass(IBodyStream, Stream)


class Upload:
    """One streamed request, sent to a played worker."""

    def __init__(self, reactor, make_worker):
        self.reactor = reactor
        self.gateway = PlayedGateway()
        self.link, self.worker, (self.served,) = link_to(
            reactor, self.gateway, make_worker()
        )
        self.stream = Stream()
        request = PlainRequest(body_stream=self.stream)
        self.session = Session(self.gateway, "app", 1, request, Recorder(), 0.0)
        self.link.run(self.session)
        (frame,) = self.frames()
        assert frame[:2] == (START, LAST | STREAMED)
        self.served.number = 1
        self.served.note_begun()

    def frames(self):
        """What the worker gets."""
        self.reactor.settle()
        if not self.served.has_something():
            return []
        return self.served.reader.feed(self.served.socket.recv(1 << 20))

    def says(self, data):
        self.served.send(data)
        self.reactor.settle()

    @property
    def is_connected(self):
        return self.served.slot in {one.slot for one in self.link._idle}


@pytest.fixture
def upload(reactor, make_worker):
    yield Upload(reactor, make_worker)
    for reader in list(reactor.readers):
        reader.close()


def test_nothing_is_sent_before_the_app_reads(upload):
    """Then what comes, as it comes, and the end."""
    assert (upload.stream.calls, upload.frames()) == ([], [])
    upload.says(ASKED)
    assert (upload.stream.calls, upload.frames()) == (["begin"], [])
    assert upload.stream.taker.take(b"hello")
    assert upload.frames() == [(BODY, 0, b"hello")]
    assert upload.stream.taker.take(b"world")
    upload.stream.taker.take_end()
    assert upload.frames() == [(BODY, 0, b"world"), (END, 0, b"")]
    upload.says(WHOLE)
    assert upload.session.responder.whole() == (HEAD, b"hello")
    assert upload.is_connected


def test_the_client_waits_while_the_worker_does_not_read(upload):
    """And goes on when all that was taken is on its way."""
    upload.says(ASKED)
    sent = 0
    while upload.stream.taker.take(b"x" * 50_000):
        sent += 50_000
    sent += 50_000
    assert upload.stream.calls == ["begin"]
    got = b"".join(data for _, _, data in upload.frames())
    while len(got) < sent:
        got += b"".join(data for _, _, data in upload.frames())
    assert upload.stream.calls == ["begin", "proceed"]
    assert got == b"x" * sent


@pytest.mark.parametrize("before", [(), (ASKED,)], ids=["unread", "half read"])
def test_an_answer_before_the_end_is_an_answer(upload, before):
    """The worker gets a new connection: it may ask for the rest as late as it likes,
    and would get the next request."""
    for data in before:
        upload.says(data)
    upload.says(WHOLE)
    assert upload.session.responder.whole() == (HEAD, b"hello")
    assert not upload.is_connected
    assert upload.stream.calls == (["begin", "leave"] if before else [])
    assert upload.served.socket.recv(1) == b""
    upload.worker.accept()
    upload.reactor.settle()


def test_the_response_may_begin_before_the_body_has_ended(upload):
    """Both at once."""
    upload.says(ASKED)
    upload.says(encode_response_start(HEAD) + encode_body(b"one"))
    assert upload.stream.taker.take(b"hello")
    upload.stream.taker.take_end()
    assert upload.frames() == [(BODY, 0, b"hello"), (END, 0, b"")]
    upload.says(encode_frame(END))
    assert upload.session.responder.whole() == (HEAD, b"one")
    assert upload.is_connected


def test_a_worker_is_told_that_the_client_has_left(upload):
    """It ends as it likes, and its connection is good for the next."""
    upload.says(ASKED)
    upload.session.abandon()
    upload.stream.taker.take_failure()
    assert upload.frames() == [(FAIL, 0, b"")]
    upload.says(WHOLE)
    assert upload.is_connected


def test_a_worker_that_dies_before_it_has_begun_gives_the_request_back(upload):
    """Nothing of the body has left us."""
    upload.served.number = 0
    upload.served.note_begun()
    upload.worker.close()
    upload.reactor.settle()
    assert upload.gateway.given_back == [upload.session]
    assert upload.stream.calls == []


def test_a_worker_that_dies_while_it_reads_fails_the_request(upload):
    """502, and nobody is asked for the rest."""
    upload.says(ASKED)
    upload.worker.close()
    upload.reactor.settle()
    assert upload.session.responder.calls == [("fail", 502)]
    assert upload.stream.calls == ["begin", "leave"]


def test_a_body_that_is_not_streamed_can_not_be_asked_for(reactor, make_worker):
    """A broken worker: 502."""
    upload = Upload(reactor, make_worker)
    upload.session.request.body_stream = None
    upload.says(ASKED)
    assert upload.session.responder.calls == [("fail", 502)]
    upload.worker.accept()
    for reader in list(reactor.readers):
        reader.close()
