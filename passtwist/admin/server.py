"""JSON over HTTP on RUNTIME_DIR/admin.sock, for the command and for scripts.

Runs in: the controller.

A Unix socket with mode 0600: whoever may open it is our own user or root, so
nothing else has to be asked.  Never TCP.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.http import Request as HTTPRequest
    from twisted.web.server import Request

_log = Logger(namespace="passtwist.admin")


class JSONPage(Resource):
    """Answers GET with what *page* returns, or what its Deferred fires with."""

    isLeaf = True

    def __init__(self, page: Callable[[], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted has no types there
        self._page = page

    def render_GET(self, request: Request) -> bytes:
        """The page as JSON, now or later."""
        request.setHeader(b"content-type", b"application/json")
        page = self._page()
        if not isinstance(page, Deferred):
            return _as_json(page)
        Answer(request, page)
        # Twisted's way to say so is a number, whose type says bytes in places.
        return cast("bytes", NOT_DONE_YET)


class Answer:
    """Writes a page to *request* when it comes, unless the client has left."""

    def __init__(self, request: Request, page: Deferred[Any]) -> None:
        self._request = request
        self._is_wanted = True
        request.notifyFinish().addErrback(self._left)
        page.addCallbacks(self._come, self._failed)

    def _left(self, _: Failure) -> None:
        self._is_wanted = False

    def _come(self, page: object) -> None:
        if self._is_wanted:
            self._request.write(_as_json(page))
            self._request.finish()

    def _failed(self, failure: Failure) -> None:
        _log.failure("admin page {path}", failure, path=self._request.path)
        if self._is_wanted:
            self._request.setResponseCode(500)
            self._request.finish()


class AdminServer:
    """Serves ``GET /v1/status`` and ``GET /v1/memory``.

    :param status: gives what `status --json` prints.
    :param memory: fires with what `memory --json` prints.
    """

    def __init__(
        self,
        reactor: Any,
        status: Callable[[], Any],
        memory: Callable[[], Deferred[Any]],
    ) -> None:
        # Any: Twisted's endpoints want IReactorUNIX, a zope interface that
        # our own Reactor protocol can't include.
        self._reactor = reactor
        version = Resource()
        version.putChild(b"status", JSONPage(status))
        version.putChild(b"memory", JSONPage(memory))
        root = Resource()
        root.putChild(b"", notFound(message="See /v1/status and /v1/memory."))
        root.putChild(b"v1", version)
        self._site = Site(root)
        self._site.displayTracebacks = False
        self._site.noisy = False
        # Who polls the status must not fill the log with it.
        self._site.log = _log_nothing  # type: ignore[method-assign]  # as Twisted means it
        self._port: IListeningPort | None = None
        self._path = ""
        self._file: tuple[int, int] | None = None

    def start(self, path: str) -> None:
        """Listen at *path*."""
        self._path = path
        endpoint = UNIXServerEndpoint(self._reactor, path, mode=0o600)
        endpoint.listen(self._site).addCallback(self._listening)

    def stop(self) -> None:
        """Listen no more.  Harmless when not listening."""
        port, self._port = self._port, None
        if port is None:
            return
        if self._file == _identity(self._path):
            port.stopListening()
            return
        # Twisted would remove whatever has the name now: nothing, or the socket of
        # a server that has made the folder anew.
        assert isinstance(port, tcp.Port)
        port.stopReading()
        tcp.Port.connectionLost(port, Failure(CONNECTION_DONE))

    def restart(self) -> None:
        """Listen anew, when somebody has removed the socket."""
        if self._port is not None and self._file != _identity(self._path):
            self.stop()
            self.start(self._path)

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        self._file = _identity(self._path)


def _identity(path: str) -> tuple[int, int] | None:
    """Which file has that name, None for none."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _as_json(page: object) -> bytes:
    return json.dumps(page, indent=1).encode() + b"\n"


def _log_nothing(request: HTTPRequest) -> None:
    """In place of Twisted's access log."""
