"""The listening endpoints: bound while we may still be root, changed later on.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredList

from passtwist.errors import StartupError
from passtwist.service.listening.bind_errors import no_endpoint, several
from passtwist.service.listening.endpoints import endpoint_from
from passtwist.service.listening.listener import Listener
from passtwist.service.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IStreamServerEndpoint

    from passtwist.api.front_end import IDoor
    from passtwist.api.reactors import Reactor


class Listeners:
    """Listens on endpoint strings, each with a door of its own.

    :param listen: as `passtwist.service.listening.endpoints` takes them.
    :param open_door: makes the factory for another port.
    :param parse: finds the endpoint that a string describes.
    :param poller: watches the ports and what comes in by them.
    """

    def __init__(
        self,
        reactor: Reactor,
        listen: Sequence[str],
        open_door: Callable[[], IDoor],
        parse: Callable[[Reactor, str], IStreamServerEndpoint] = endpoint_from,
        poller: Poller | None = None,
    ) -> None:
        self._reactor = reactor
        self._listen = tuple(listen)
        self._open_door = open_door
        self._parse = parse
        self._poller = poller or Poller(reactor)
        self._listeners: list[Listener] = []

    @property
    def are_bound(self) -> bool:
        """Whether `bind` has been called, and not yet `close`."""
        return bool(self._listeners)

    def bind(self) -> None:
        """Listen on those that the settings named at the start.

        :raises StartupError: some can't be bound; says which, and none is left bound.
        """
        self.keep(self.added(self._listen))

    def added(self, descriptions: Iterable[str]) -> list[Listener]:
        """Listen on further endpoints; `keep` or `close_all` what comes back.

        :raises StartupError: some can't be bound; says which, and none of them is
            left bound.
        """
        bound: list[Listener] = []
        errors: list[StartupError] = []
        for description in descriptions:
            try:
                bound.append(self._listen_on(description))
            except StartupError as error:
                errors.append(error)
        if errors:
            self.close_all(bound)
            raise errors[0] if len(errors) == 1 else several(errors)
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
        closing = [one.close() for one in listeners]
        return DeferredList(closing).addCallback(lambda _: None)

    def addresses(self) -> list[str]:
        """Where people can reach us, for the log."""
        return [one.address() for one in self._listeners if one.port is not None]

    def renew(self) -> None:
        """Take up certificates that are new, or have been renewed."""
        for one in self._listeners:
            one.renew()

    def _listen_on(self, description: str) -> Listener:
        try:
            endpoint = self._parse(self._reactor, description)
        except Exception as error:
            # Whatever a plugin's parser, or the one of a certificate, raises.
            raise no_endpoint(description, error) from error
        return Listener(
            self._reactor,
            description,
            endpoint,
            self._open_door(),
            self._poller.adopt,
        )
