"""The listening endpoints: bound while we may still be root, changed later on.

Runs in: the controller.
"""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort
    from twisted.python.failure import Failure

    from passtwist.api.interfaces import IDoor
    from passtwist.api.reactors import Reactor

# Between two clients that come in a queue may be empty for a moment only; who
# keeps it filled must not keep the port open.
_LAST_LOOKS = 100


@dataclass(frozen=True)
class Listener:
    """One endpoint that is listened on.

    :ivar description: as in the setting ``listen``.
    :ivar door: the factory of its connections.
    """

    description: str
    port: IListeningPort
    door: IDoor


class Listeners:
    """Listens on endpoint strings, each with a door of its own.

    :param listen: as Twisted's `serverFromString` takes them.
    :param open_door: makes the factory for another port.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        reactor: Reactor,
        listen: Sequence[str],
        open_door: Callable[[], IDoor],
    ) -> None:
        self._reactor = reactor
        self._listen = tuple(listen)
        self._open_door = open_door
        self._listeners: list[Listener] = []

    @property
    def ports(self) -> Sequence[IListeningPort]:
        """All that are bound."""
        return [one.port for one in self._listeners]

    def bind(self) -> None:
        """Listen on those that the settings named at the start.

        :raises StartupError: one can't be bound; none is left bound.
        """
        self.keep(self.added(self._listen))

    def added(self, descriptions: Iterable[str]) -> list[Listener]:
        """Listen on further endpoints; `keep` or `close_all` what comes back.

        :raises StartupError: one can't be bound; none of them is left bound.
        """
        bound: list[Listener] = []
        for description in descriptions:
            try:
                bound.append(self._listen_on(description))
            except StartupError:
                self.close_all(bound)
                raise
        return bound

    def keep(self, listeners: Iterable[Listener]) -> None:
        """From now on these are ours, too."""
        self._listeners += listeners

    def remove(self, descriptions: Iterable[str]) -> Deferred[None]:
        """Listen no more on some; their connections end with their requests.

        :returns: fires when their ports are closed, whatever is still under way.
        """
        unwanted = set(descriptions)
        leaving = [one for one in self._listeners if one.description in unwanted]
        self._listeners = [one for one in self._listeners if one not in leaving]
        return self.close_all(leaving)

    def close(self) -> Deferred[None]:
        """Listen no more at all; fires when all ports are closed."""
        listeners, self._listeners = self._listeners, []
        return self.close_all(listeners)

    def close_all(self, listeners: Iterable[Listener]) -> Deferred[None]:
        """Close these ports, and let their connections end."""
        closing: list[Deferred[Any]] = []
        for one in listeners:
            if isinstance(one.port, tcp.Port):
                # Twisted closes a port at the end of this turn of the reactor,
                # and this comes just before.
                self._reactor.callLater(0, _accept_rest, one.port)
            closed = maybeDeferred(one.port.stopListening)
            closed.addErrback(self._not_closed, one.description)
            closed.addCallback(_close_door, one.door)
            closing.append(closed)
        return DeferredList(closing).addCallback(lambda _: None)

    def addresses(self) -> list[str]:
        """Where people can reach us, for the log."""
        return [address_of(one.port) for one in self._listeners]

    def _listen_on(self, description: str) -> Listener:
        try:
            endpoint = serverFromString(self._reactor, description)
        except Exception as error:
            # Whatever a plugin's parser, or the one of a certificate, raises.
            raise StartupError(
                f"can't listen on {description}: not an endpoint: {error}"
            ) from error
        door = self._open_door()
        ports: list[IListeningPort] = []
        failures: list[Failure] = []
        endpoint.listen(door).addCallbacks(ports.append, failures.append)
        if failures:
            door.close()
            cause = failures[0].value
            raise StartupError(f"can't listen on {description}: {cause}") from cause
        return Listener(description, ports[0], door)

    def _not_closed(self, failure: Failure, description: str) -> None:
        self.log.warn(
            "closing {listener}: {error}",
            listener=description,
            error=failure.getErrorMessage(),
        )


def _close_door(_: object, door: IDoor) -> None:
    door.close()


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


def address_of(port: IListeningPort) -> str:
    """How people write down where *port* can be reached."""
    host = port.getHost()
    name = getattr(host, "name", None)
    if name is not None:
        return f"unix:{name.decode() if isinstance(name, bytes) else name}"
    address = getattr(host, "host", "?")
    if ":" in address:
        address = f"[{address}]"
    if address == "0.0.0.0":
        address = "127.0.0.1"
    number = getattr(host, "port", 0)
    return f"http://{address}{'' if number == 80 else f':{number}'}/"
