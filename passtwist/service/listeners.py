"""The listening endpoints, bound while we may still be root.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IListeningPort, IProtocolFactory
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor


class Listeners:
    """Listens on endpoint strings, all with one factory.

    :param listen: as Twisted's `serverFromString` takes them.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self, reactor: Reactor, listen: Sequence[str], factory: IProtocolFactory
    ) -> None:
        self._reactor = reactor
        self._listen = tuple(listen)
        self._factory = factory
        self.ports: list[IListeningPort] = []

    def bind(self) -> None:
        """Listen on all of them.

        :raises StartupError: one can't be bound; none is left bound.
        """
        for description in self._listen:
            try:
                endpoint = serverFromString(self._reactor, description)
            except (ValueError, KeyError, TypeError) as error:
                self._refuse(description, f"not an endpoint: {error}")
            failures: list[Failure] = []
            listening = endpoint.listen(self._factory)
            listening.addCallbacks(self.ports.append, failures.append)
            if failures:
                self._refuse(description, failures[0].getErrorMessage())

    def addresses(self) -> list[str]:
        """Where people can reach us, for the log."""
        return [_address(port) for port in self.ports]

    def close(self) -> Deferred[None]:
        """Listen no more; fires when all are closed."""
        ports, self.ports = self.ports, []
        closing = [
            result
            for port in ports
            if isinstance(result := port.stopListening(), Deferred)
        ]
        return DeferredList(closing).addCallback(lambda _: None)

    def _refuse(self, description: str, why: str) -> None:
        self.close()
        raise StartupError(f"can't listen on {description}: {why}")


def _address(port: IListeningPort) -> str:
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
