"""The front end: the factory of connections and what they share.

Runs in: the controller.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.api.interfaces import IFrontEnd
from passtwist.http.connection import Connection
from passtwist.http.counters import Counters
from passtwist.http.deadlines import DeadlineWatch
from passtwist.http.failure_log import FailureLog
from passtwist.http.response_head import ResponseHeads
from passtwist.http.routing import Router
from passtwist.http.scanner import HeadScanner
from passtwist.http.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IAddress, IReactorTime

    from passtwist.api.interfaces import IPool
    from passtwist.http.access_log import AccessLog
    from passtwist.http.config import FrontEndConfig, Site
    from passtwist.http.exchange import Exchange

_log = Logger()


@implementer(IProtocolFactory, IFrontEnd)
class FrontEnd(Factory):
    """Serves sites; to be given to any stream endpoint's ``listen``.

    :ivar connections: those that are open.
    :ivar counters: see `passtwist.http.counters`.
    :ivar draining: connections end with the response they are at.
    """

    noisy = False

    def __init__(
        self,
        pool: IPool,
        sites: Sequence[Site],
        config: FrontEndConfig,
        clock: IReactorTime,
        access_log: AccessLog,
        id_prefix: bytes | None = None,
    ) -> None:
        """
        :param clock: the reactor; its seconds are the epoch's.
        :param id_prefix: begins every request id; random when not given, so
            that ids of two runs differ.
        :raises ValueError: a trusted proxy is no network.
        """
        self.pool = pool
        self.clock = clock
        self.access_log = access_log
        self.limits = config.limits
        self.environment = config.environment
        self.spool_dir = config.spool_dir
        self.trust = Trust(config.trusted_proxies, config.proxy_hops)
        self.scanner = HeadScanner(config.limits)
        self.response_heads = ResponseHeads()
        self.failure_log = FailureLog()
        self.counters = Counters()
        self.watch = DeadlineWatch(clock, self._tick)
        self.connections: set[Connection] = set()
        self.draining = False
        self._drained: list[Deferred[None]] = []
        self._id_prefix = id_prefix or secrets.token_hex(4).encode("ascii")
        self._ids = 0
        self.set_sites(sites)

    def set_sites(self, sites: Sequence[Site]) -> None:
        """Serve *sites* from the next request on.

        :raises UnicodeError: a host is no host name.
        """
        self.router = Router(sites)

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        connection = Connection(self)
        connection.factory = self
        return connection

    def drain(self) -> Deferred[None]:
        """Let every connection end after the request it is at.

        Idle ones end at once.  The caller has closed the listening ports; what
        is accepted all the same gets one response.

        :returns: fires when no connection is left; never errbacks.  Cancelling
            it ends the waiting, not the draining.
        """
        self.draining = True
        for connection in tuple(self.connections):
            connection.drain()
        if not self.connections:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._drained.remove)
        self._drained.append(waiter)
        return waiter

    def abort_connections(self) -> None:
        """End all connections now, whatever they are at."""
        for connection in tuple(self.connections):
            connection.abort()

    # --- for connections -------------------------------------------------------------

    def connection_made(self, connection: Connection) -> None:
        """One more."""
        self.counters.connections += 1
        self.connections.add(connection)
        self.watch.add(connection)

    def connection_lost(self, connection: Connection) -> None:
        """One less."""
        self.connections.discard(connection)
        self.watch.discard(connection)
        if self.draining and not self.connections:
            waiters, self._drained = self._drained, []
            for waiter in waiters:
                waiter.callback(None)

    def next_request_id(self) -> bytes:
        """An id that no other request of this server has."""
        self._ids += 1
        return b"%b-%x" % (self._id_prefix, self._ids)

    def submit(self, exchange: Exchange) -> None:
        """Hand a request to the pool."""
        request = exchange.request
        if request is None:
            raise AssertionError("an exchange without a request")
        try:
            session = self.pool.submit(exchange.app, request, exchange)
        except KeyError:
            # The app went away between set_sites and now.
            exchange.fail(RequestFailure(503, "the app is not there any more", 1))
        except Exception:  # noqa: BLE001 - answered and logged: a plugin's pool may fail
            _log.failure("the pool can't take a request of {app}", app=exchange.app)
            exchange.fail(RequestFailure(500, "the pool failed"))
        else:
            exchange.session_began(session)

    def _tick(self) -> None:
        self.access_log.flush()
        self.failure_log.tick()
