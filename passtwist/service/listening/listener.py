"""One endpoint that is listened on.

Runs in: the controller.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from twisted.internet import tcp
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure

from passtwist.service.listening.acceptor import let_in
from passtwist.service.listening.bind_errors import explained, not_bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import (
        IListeningPort,
        IProtocolFactory,
        IStreamServerEndpoint,
    )

    from passtwist.api.front_end import IDoor
    from passtwist.api.reactors import Reactor

# Between two clients that come in a queue may be empty for a moment only; who
# keeps it filled must not keep the port open.
_LAST_LOOKS = 100


@runtime_checkable
class IsRenewable(Protocol):
    """An endpoint with certificates."""

    def renew(self) -> None:
        """Take up those that are new."""


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
        adopt: Callable[[IListeningPort], object],
    ) -> None:
        """
        :param door: the factory of its connections.
        :param adopt: is given the port once it is bound.
        :raises StartupError: it can't be bound.
        """
        self.description = description
        self.port: IListeningPort | None = None
        self._reactor = reactor
        self._door = door
        self._adopt = adopt
        self._endpoint = endpoint
        self._is_closed = False
        self._is_late = False
        self._error: BaseException | None = None
        # It is one, which an interface that must not import Twisted can't say.
        factory = cast("IProtocolFactory", door)
        self._listening = endpoint.listen(factory)
        self._listening.addCallbacks(self._bound, self._failed)
        self._is_late = True
        if self._error is not None:
            raise not_bound(description, self._error) from self._error

    def address(self) -> str:
        """How people write down where it can be reached."""
        host = self.port.getHost() if self.port is not None else None
        name = getattr(host, "name", None)
        if name is not None:
            return f"unix:{name.decode() if isinstance(name, bytes) else name}"
        address = getattr(host, "host", "?")
        if ":" in address:
            address = f"[{address}]"
        if address == "0.0.0.0":
            address = "127.0.0.1"
        number = getattr(host, "port", 0)
        scheme, usual = ("https", 443) if self._is_secure() else ("http", 80)
        return f"{scheme}://{address}{'' if number == usual else f':{number}'}/"

    def _is_secure(self) -> bool:
        kind = self.description.removeprefix("haproxy:").partition(":")[0]
        return kind in ("tls", "ssl")

    def renew(self) -> None:
        """Take up certificates that are new, if it has any."""
        if isinstance(self._endpoint, IsRenewable):
            self._endpoint.renew()

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
        self._adopt(port)
        if self._is_closed:
            self._close(port)
        elif self._is_late:
            self.log.info("listening on {listener}", listener=self.description)
        let_in(port, self._door)

    def _failed(self, failure: Failure) -> None:
        error: BaseException = failure.value or AssertionError("a failure of nothing")
        self._error = error
        if not self._is_closed:
            self._door.close()
        if self._is_late and not self._is_closed:
            self.log.error(
                "can't listen on {listener}: {error}",
                listener=self.description,
                error=explained(error),
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
