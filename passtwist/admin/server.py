"""JSON over HTTP on RUNTIME_DIR/admin.sock, for the command and for scripts.

Runs in: the controller.

A Unix socket with mode 0600: whoever may open it is our own user or root, so
nothing else has to be asked.  Never TCP.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.web.server import Site

from passtwist.admin.api import Api
from passtwist.admin.request import LimitedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.http import Request as HTTPRequest


class AdminServer:
    """Serves ``GET /v1/PAGE`` and ``POST /v1/COMMAND``.

    Both answer with JSON values or with Deferreds that fire with them; one that
    raises or errbacks with `CommandError` is answered ``{"error": message}`` and
    its status.

    :param pages: by name; called with the query's arguments, all texts, by name.
    :param commands: by name; called with the JSON object that was sent.
    """

    def __init__(
        self,
        reactor: Any,
        pages: Mapping[str, Callable[..., Any]],
        commands: Mapping[str, Callable[[dict[str, Any]], Any]],
    ) -> None:
        # Any: Twisted's endpoints want IReactorUNIX, a zope interface that
        # our own Reactor protocol can't include.
        self._reactor = reactor
        self._site = Site(
            Api(pages, commands), LimitedRequest, parsePOSTFormSubmission=False
        )
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


def _log_nothing(request: HTTPRequest) -> None:
    """In place of Twisted's access log."""
