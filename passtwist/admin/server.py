"""JSON over HTTP on RUNTIME_DIR/admin.sock, for the command and for scripts.

Runs in: the controller.

A Unix socket with mode 0600: whoever may open it is our own user or root, so
nothing else has to be asked.  Never TCP.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.web.resource import NoResource, Resource
from twisted.web.server import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.http import Request as HTTPRequest
    from twisted.web.server import Request


class JSONPage(Resource):
    """Answers GET with what *page* returns."""

    isLeaf = True

    def __init__(self, page: Callable[[], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted has no types there
        self._page = page

    def render_GET(self, request: Request) -> bytes:
        """The page as JSON."""
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(self._page(), indent=1).encode() + b"\n"


class AdminServer:
    """Serves ``GET /v1/status``.

    :param status: gives what `status --json` prints.
    """

    def __init__(self, reactor: Any, status: Callable[[], Any]) -> None:
        # Any: Twisted's endpoints want IReactorUNIX, a zope interface that
        # our own Reactor protocol can't include.
        self._reactor = reactor
        version = Resource()
        version.putChild(b"status", JSONPage(status))
        root = Resource()
        root.putChild(b"", NoResource("see /v1/status"))
        root.putChild(b"v1", version)
        self._site = Site(root)
        self._site.displayTracebacks = False
        self._site.noisy = False
        # Who polls the status must not fill the log with it.
        self._site.log = _log_nothing  # type: ignore[method-assign]  # as Twisted means it
        self._port: IListeningPort | None = None

    def start(self, path: str) -> None:
        """Listen at *path*."""
        endpoint = UNIXServerEndpoint(self._reactor, path, mode=0o600)
        endpoint.listen(self._site).addCallback(self._listening)

    def stop(self) -> None:
        """Listen no more.  Harmless when not listening."""
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    def _listening(self, port: IListeningPort) -> None:
        self._port = port


def _log_nothing(request: HTTPRequest) -> None:
    """In place of Twisted's access log."""
