"""What reading a request head costs, beside h11 and httptools.

Run it with ``python -m benchmarks.micro.front_end_scan``.  It prints microseconds per
request: for the scan alone, of a head that has come before and of one that has not
(the same headers, another target), for scan, routing and CGI variables, and for a
whole exchange of the front end on a transport that goes nowhere (so without the
kernel's share).
"""

from __future__ import annotations

import time
from itertools import cycle
from typing import TYPE_CHECKING

import h11
import httptools
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from passtwist.api.interfaces import IPool
from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.environ import Origin, request_pairs
from passtwist.http.front import FrontEnd
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.routing import Router
from passtwist.http.trust import Trust
from passtwist.testing.fakes import FakeSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.protocol import Protocol

    from passtwist.api.interfaces import IRequest, IResponder

LOAD_GENERATOR = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
BROWSER = (
    b"GET /shop/item/42?colour=blue HTTP/1.1\r\n"
    b"Host: shop.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
    b"Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: https://shop.example.org/shop/\r\n"
    b"Connection: keep-alive\r\n"
    b"Cookie: sessionid=%032d; csrftoken=%032d\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Priority: u=0, i\r\n"
    b"\r\n"
) % (7, 11)

PEER = IPv4Address("TCP", "127.0.0.1", 40000)
HERE = IPv4Address("TCP", "127.0.0.1", 8080)


def microseconds(call: Callable[[], object], seconds: float = 0.3) -> float:
    """The best of many short runs, *seconds* in total, of this thread's own time."""
    number = 200
    best = float("inf")
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        begun = time.thread_time()
        for _ in range(number):
            call()
        best = min(best, (time.thread_time() - begun) / number)
    return best * 1e6


def scan_only(data: bytes) -> Callable[[], object]:
    scanner = HeadScanner(HttpLimits())
    return lambda: scanner.scan(data)


def scan_another(data: bytes) -> Callable[[], object]:
    scanner = HeadScanner(HttpLimits())
    # So many that none is remembered when its turn comes again.
    heads = cycle([data.replace(b" HTTP", b"?%d HTTP" % n, 1) for n in range(10_000)])
    return lambda: scanner.scan(next(heads))


def scan_and_environ(data: bytes) -> Callable[[], object]:
    scanner = HeadScanner(HttpLimits())
    router = Router([Site("shop")])
    origin = Origin(PEER, HERE, False, Trust(()))

    def run() -> object:
        head = scanner.scan(data)
        assert head is not None
        route = router.find(head.host, head.line.path)
        assert route is not None
        return request_pairs(head, route.script_name, b"id-1", origin.pairs)

    return run


class Nowhere(StringTransport):
    """Throws away what is written, as a kernel would."""

    def __init__(self) -> None:
        super().__init__(HERE, PEER)  # type: ignore[no-untyped-call]  # Twisted's

    def write(self, data: bytes) -> None:
        pass


def whole_exchange(data: bytes) -> Callable[[], object]:
    head = b"200 OK\r\nContent-Type: text/plain\r\n"
    front = FrontEnd(
        AnswerAtOnce(head, b"Hello, world!\n"),
        [Site("shop")],
        FrontEndConfig(limits=HttpLimits(requests_per_connection=1 << 60)),
        Clock(),
        AccessLog("off"),
    )
    connection: Protocol = front.buildProtocol(PEER)
    connection.makeConnection(Nowhere())
    return lambda: connection.dataReceived(data)


@implementer(IPool)
class AnswerAtOnce:
    """As little of a pool as can be, so that it is not what is measured."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self._head = head
        self._body = body
        self._session: FakeSession | None = None

    def submit(self, app: str, request: IRequest, responder: IResponder) -> FakeSession:
        if self._session is None:
            self._session = FakeSession(app, request, responder)
        responder.answer(self._head, self._body)
        return self._session


def by_h11(data: bytes) -> Callable[[], object]:
    def run() -> object:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(data)
        return connection.next_event()

    return run


def by_httptools(data: bytes) -> Callable[[], object]:
    class Callbacks:
        def __init__(self) -> None:
            self.headers: list[tuple[bytes, bytes]] = []

        def on_url(self, url: bytes) -> None:
            self.url = url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers.append((name, value))

    def run() -> object:
        parser = httptools.HttpRequestParser(Callbacks())
        parser.feed_data(data)
        return parser.get_method()

    return run


def main() -> None:
    print(f"{'microseconds per request':32}{'load generator':>16}{'browser':>10}")
    for name, make in (
        ("scan, again", scan_only),
        ("scan, another target", scan_another),
        ("scan, route, CGI variables", scan_and_environ),
        ("whole exchange", whole_exchange),
        ("httptools", by_httptools),
        ("h11", by_h11),
    ):
        few, many = microseconds(make(LOAD_GENERATOR)), microseconds(make(BROWSER))
        print(f"{name:32}{few:16.2f}{many:10.2f}")


if __name__ == "__main__":
    main()
