"""What two readers make of the same bytes: our front end, and h11.

Runs in: tests.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import h11
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import IBodyTaker
from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, Site
from passtwist.http.front import FrontEnd
from passtwist.testing.fakes import FakePool, FakeSession

MARKER = b"GET /marker HTTP/1.1\r\nHost: a\r\n\r\n"
SEEN_MARKER = b"GET /marker "

# Of final responses.  What our apps answer looks like none.
statuses_in = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) ").findall

# h11 does not read what RFC 9112 wants read: white space around the `;` and `=` of
# a chunk's extensions (7.1.1), lengths of more than 20 digits; and it looks for
# framing in trailers, which nobody merges.
_FOREIGN = re.compile(
    rb"[0-9A-Fa-f][ \t]+;|\r\n0*[^;\r]*;[^\r]*[ \t]|[Ll]ength: *[0-9]{21}"
    rb"|\r\n0+(?:;[^\r]*)?\r\n[^\r]",
)


class Reading(NamedTuple):
    """What became of some bytes on one connection.

    :ivar statuses: of the final responses.
    :ivar seen: what reached the app, each ``METHOD target body``.
    :ivar open: the server has not closed it.
    """

    statuses: tuple[int, ...]
    seen: tuple[bytes, ...]
    open: bool


def hello(session: FakeSession) -> None:
    """An app."""
    session.responder.answer(b"200 OK\r\n", b"ok")


def seen_by(pool: FakePool) -> tuple[bytes, ...]:
    """What has reached the app."""
    return tuple(
        b"%b %b %b" % (one.request.method, one.request.path, one.request.body)
        for one in pool.sessions
    )


@implementer(IBodyTaker)
class Taker:
    """An app that answers when it has read the body."""

    def __init__(self, session: FakeSession, reader: OurReader) -> None:
        self._session = session
        self._reader = reader
        self._got = b""

    def take(self, data: bytes) -> bool:
        self._got += data
        return True

    def take_end(self) -> None:
        self._reader.note(self._session, self._got)
        self._reader.unanswered.append(self._session)

    def take_failure(self) -> None:
        pass


verifyClass(IBodyTaker, Taker)


class OurReader:
    """A front end that reads one connection after another.

    :param streamed: the app is asked before the body is there (`buffer_requests`).
    :param lazy: it does not read it then, but answers at once.
    :ivar unanswered: what it has read to the end; a worker answers later.
    """

    def __init__(self, streamed: bool = False, lazy: bool = False) -> None:
        self.clock = Clock()
        self.pool = FakePool(self._answer)
        self._lazy = lazy
        self.unanswered: list[FakeSession] = []
        self._seen: list[bytes] = []
        site = Site("a", buffer_requests=not streamed)
        self.front = FrontEnd(
            self.pool, [site], FrontEndConfig(), self.clock, AccessLog("off")
        )

    def read(self, *pieces: bytes) -> Reading:
        """What comes of *pieces* on a connection of their own.

        :raises ValueError: a variable of a request is there twice.
        """
        self.pool.sessions.clear()
        self._seen = []
        connection = self.front.buildProtocol(None)
        transport = StringTransport()
        connection.makeConnection(transport)
        for piece in pieces:
            connection.dataReceived(piece)
            while self.unanswered:
                hello(self.unanswered.pop())
        statuses = tuple(int(status) for status in statuses_in(transport.value()))
        for session in self.pool.sessions:
            assert session.environ["wsgi.url_scheme"] == "http"
            assert not any("\0" in text for text in session.environ.values())
        reading = Reading(statuses, tuple(self._seen), not transport.disconnecting)
        connection.connectionLost()
        assert self.clock.getDelayedCalls() == []
        return reading

    def note(self, session: FakeSession, body: bytes) -> None:
        """The app has got a request, and this of its body."""
        request = session.request
        self._seen.append(b"%b %b %b" % (request.method, request.path, body))

    def _answer(self, session: FakeSession) -> None:
        stream = session.request.body_stream
        if stream is None or self._lazy:
            self.note(session, session.request.body)
            hello(session)
        else:
            stream.begin(Taker(session, self))


def read_by_h11(data: bytes) -> tuple[bytes, ...]:
    """The requests that h11 finds in *data* up to the first that it refuses.

    It skips no empty line before a request.  We forgive one, so that is taken away.
    """
    found: list[bytes] = []
    try:
        while data:
            connection = h11.Connection(h11.SERVER)
            connection.receive_data(data.removeprefix(b"\r\n"))
            request = connection.next_event()
            body = b""
            while type(event := connection.next_event()) is h11.Data:
                body += bytes(event.data)
            if type(event) is not h11.EndOfMessage:
                break
            found.append(b"%b %b %b" % (request.method, request.target, body))
            if connection.their_state is h11.MUST_CLOSE and b"HTTP/1.0" not in data:
                break
            data, _ = connection.trailing_data
    except h11.RemoteProtocolError:
        pass
    return tuple(found)


def is_foreign_to_h11(data: bytes) -> bool:
    """May h11 refuse what we accept in *data*?"""
    return _FOREIGN.search(data) is not None
