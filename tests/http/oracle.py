"""What two readers make of the same bytes: our front end, and h11.

Runs in: tests.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import h11
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

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


class OurReader:
    """A front end that reads one connection after another."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pool = FakePool(hello)
        self.front = FrontEnd(
            self.pool, [Site("a")], FrontEndConfig(), self.clock, AccessLog("off")
        )

    def read(self, *pieces: bytes) -> Reading:
        """What comes of *pieces* on a connection of their own.

        :raises ValueError: a variable of a request is there twice.
        """
        self.pool.sessions.clear()
        connection = self.front.buildProtocol(None)
        transport = StringTransport()
        connection.makeConnection(transport)
        for piece in pieces:
            connection.dataReceived(piece)
        statuses = tuple(int(status) for status in statuses_in(transport.value()))
        for session in self.pool.sessions:
            assert session.environ["wsgi.url_scheme"] == "http"
            assert not any("\0" in text for text in session.environ.values())
        reading = Reading(statuses, seen_by(self.pool), not transport.disconnecting)
        connection.connectionLost()
        assert self.clock.getDelayedCalls() == []
        return reading


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
