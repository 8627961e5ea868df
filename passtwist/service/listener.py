"""One endpoint that is listened on.

Runs in: the controller.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, cast

from twisted.internet import tcp
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from twisted.internet.interfaces import (
        IListeningPort,
        IProtocolFactory,
        IStreamServerEndpoint,
    )

    from passtwist.api.interfaces import IDoor
    from passtwist.api.reactors import Reactor

# Between two clients that come in a queue may be empty for a moment only; who
# keeps it filled must not keep the port open.
_LAST_LOOKS = 100


class Listener:
    """Listens from the beginning, and until it is closed.

    Twisted's own endpoints are bound at once.  One of a plugin may take its
    time; if it fails then, the log says so.

    :ivar description: as in the setting ``listen``.
    :ivar port: None while the endpoint takes its time, and when it has failed.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        reactor: Reactor,
        description: str,
        endpoint: IStreamServerEndpoint,
        door: IDoor,
    ) -> None:
        """
        :param door: the factory of its connections.
        :raises StartupError: it can't be bound.
        """
        self.description = description
        self.port: IListeningPort | None = None
        self._reactor = reactor
        self._door = door
        self._is_closed = False
        self._is_late = False
        self._error: BaseException | None = None
        # It is one, which an interface that must not import Twisted can't say.
        factory = cast("IProtocolFactory", door)
        self._listening = endpoint.listen(factory)
        self._listening.addCallbacks(self._bound, self._failed)
        self._is_late = True
        if self._error is not None:
            raise StartupError(
                f"can't listen on {description}: {self._error}"
            ) from self._error

    def close(self) -> Deferred[None]:
        """Listen no more, and let the connections end; fires when it is closed."""
        self._is_closed = True
        if self.port is None:
            self._listening.cancel()
            self._door.close()
            return succeed(None)
        return self._close(self.port)

    def _close(self, port: IListeningPort) -> Deferred[None]:
        if isinstance(port, tcp.Port):
            # Twisted closes a port at the end of this turn of the reactor, and
            # this comes just before.
            self._reactor.callLater(0, _accept_rest, port)
        closed = maybeDeferred(port.stopListening)
        closed.addErrback(self._not_closed, port)
        return closed.addCallback(lambda _: self._door.close())

    def _bound(self, port: IListeningPort) -> None:
        self.port = port
        if self._is_closed:
            self._close(port)
        elif self._is_late:
            self.log.info("listening on {listener}", listener=self.description)

    def _failed(self, failure: Failure) -> None:
        self._error = failure.value
        if not self._is_closed:
            self._door.close()
        if self._is_late and not self._is_closed:
            self.log.error(
                "can't listen on {listener}: {error}",
                listener=self.description,
                error=failure.getErrorMessage(),
            )

    def _not_closed(self, failure: Failure, port: IListeningPort) -> None:
        if isinstance(port, tcp.Port) and port.connected:
            # The file of a Unix socket is gone, and that was as far as it got: its
            # lock would keep us from ever listening there again.
            lock = getattr(port, "lockFile", None)
            if lock is not None:
                lock.unlock()
            tcp.Port.connectionLost(port, Failure(CONNECTION_DONE))
        self.log.warn(
            "closing {listener}: {error}",
            listener=self.description,
            error=failure.getErrorMessage(),
        )


def _accept_rest(port: tcp.Port) -> None:
    """Take in who is connected already: closing the port would reset them."""
    if not port.connected:
        return
    queue = select.poll()
    queue.register(port.fileno(), select.POLLIN)
    for _ in range(_LAST_LOOKS):
        if not queue.poll(0):
            return
        port.doRead()
