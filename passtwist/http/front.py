"""The front end: the factory of connections and what they share.

Runs in: the controller.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.api.front_end import IFrontEnd
from passtwist.http.buffer_space import BufferSpace
from passtwist.http.counters import Counters
from passtwist.http.crowd import Crowd
from passtwist.http.deadlines import DeadlineWatch
from passtwist.http.door import Door
from passtwist.http.failure_log import FailureLog
from passtwist.http.half_closed import HalfClosed
from passtwist.http.pages.errors import ErrorPages
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.response_head import POWERED_BY, ResponseHeads
from passtwist.http.routing import Router
from passtwist.http.spool import check_folder
from passtwist.http.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IAddress, IReactorTime

    from passtwist.api.interfaces import IPool
    from passtwist.http.access_log import AccessLog
    from passtwist.http.config import FrontEndConfig, HttpLimits, Site
    from passtwist.http.connection import Connection
    from passtwist.http.exchange import Exchange

_log = Logger(namespace="passtwist.http")


@implementer(IProtocolFactory, IFrontEnd)
class FrontEnd(Factory):
    """Serves sites; it, or a door of it, is given to an endpoint's ``listen``.

    :ivar connections: those that are open.
    :ivar counters: see `passtwist.http.counters`.
    :ivar crowd: see `passtwist.http.crowd`.
    :ivar half_closed: see `passtwist.http.half_closed`.
    :ivar draining: connections end with the response they are at.
    """

    noisy = False
    router: Router
    trust: Trust
    scanner: HeadScanner
    response_heads: ResponseHeads
    error_pages: ErrorPages
    limits: HttpLimits
    environment: str
    spool_dir: str

    def __init__(
        self,
        pool: IPool,
        sites: Sequence[Site],
        config: FrontEndConfig,
        clock: IReactorTime,
        access_log: AccessLog,
        id_prefix: bytes | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param clock: the reactor; its seconds are the epoch's.
        :param id_prefix: begins every request id; random when not given, so
            that ids of two runs differ.
        :param now: seconds on the pool's clock.
        :raises ValueError: a trusted proxy is no network.
        """
        self.pool = pool
        self.clock = clock
        self.now = now
        self.access_log = access_log
        self.failure_log = FailureLog()
        self.counters = Counters()
        self.space = BufferSpace()
        self.watch = DeadlineWatch(clock, self._tick)
        self.connections: set[Connection] = set()
        self.crowd = Crowd(
            self.connections, self.counters, lambda: self.watch.now, self._set_keeping
        )
        self.half_closed = HalfClosed()
        self.draining = False
        self._keeps_connections = True
        self._doors: set[Door] = set()
        self._drained: list[Deferred[None]] = []
        self._id_prefix = id_prefix or secrets.token_hex(4).encode("ascii")
        self._ids = 0
        self.prepare(sites, config)()
        self._own_door = self.open_door()

    def prepare(
        self, sites: Sequence[Site], config: FrontEndConfig
    ) -> Callable[[], None]:
        """Make all that is needed to serve *sites* with *config*.

        :returns: what puts it into effect, in one step: sites and the size of
            heads for the next request, all else for connections that are
            accepted from then on.
        :raises SettingsError: nothing can be written where bodies shall wait.
        :raises UnicodeError: a host is no host name.
        :raises ValueError: a trusted proxy is no network.
        """
        check_folder(config.spool_dir)
        router = Router(sites)
        trust = Trust(config.trusted_proxies, config.proxy_hops, config.proxy_headers)
        scanner = HeadScanner(config.limits)
        response_heads = ResponseHeads(POWERED_BY if config.powered_by else b"")
        error_pages = ErrorPages(config.error_page, self.now)

        def switch() -> None:
            self.router = router
            self.trust = trust
            self.scanner = scanner
            self.response_heads = response_heads
            self.error_pages = error_pages
            self.limits = config.limits
            self.spool_dir = config.spool_dir
            self.space.max_memory = config.max_buffers
            self.space.max_spool = config.max_spool
            self.crowd.most = config.limits.max_connections
            self.environment = config.environment

        return switch

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._own_door.buildProtocol(addr)

    def open_door(self) -> Door:
        """See `IFrontEnd.open_door`."""
        door = Door(self, self._keeps_connections and not self.crowd.is_full)
        if self.draining:
            door.shut()
        else:
            self._doors.add(door)
        return door

    def close_door(self, door: Door) -> None:
        """Let the connections end that came in by *door*."""
        self._doors.discard(door)
        door.shut()
        for connection in tuple(self.connections):
            if connection.door is door:
                connection.drain()

    def keep_connections(self, keep: bool) -> None:
        """See `IFrontEnd.keep_connections`."""
        self._keeps_connections = keep
        self._set_keeping()
        if not keep:
            # Who was upgraded would stay for ever.
            for connection in tuple(self.connections):
                connection.end_tunnel()

    def drain(self) -> Deferred[None]:
        """Let every connection end after the request it is at.

        Idle ones end at once.  The caller has closed the listening ports; what
        is accepted all the same gets one response.

        :returns: fires when no connection is left; never errbacks.  Cancelling
            it ends the waiting, not the draining.
        """
        self.draining = True
        for door in tuple(self._doors):
            self.close_door(door)
        if not self.connections:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._drained.remove)
        self._drained.append(waiter)
        return waiter

    def abort_connections(self) -> int:
        """End all connections now; answers how many of them were at a request."""
        connections = tuple(self.connections)
        cut = sum(connection.has_request for connection in connections)
        for connection in connections:
            connection.abort()
        return cut

    def clients(self) -> dict[str, Any]:
        """See `IFrontEnd.clients`."""
        return {
            "connections": len(self.connections),
            "max_connections": self.crowd.limit,
            "full": self.crowd.is_full,
            "counters": self.counters.as_dict(),
        }

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
        self.crowd.left(connection)
        if self.draining and not self.connections:
            waiters, self._drained = self._drained, []
            for waiter in waiters:
                waiter.callback(None)

    def next_request_id(self) -> bytes:
        """An id that no other request of this server has."""
        self._ids += 1
        return b"%b-%x" % (self._id_prefix, self._ids)

    def submit(self, exchange: Exchange) -> None:
        """Hand a request to the pool, unless it is for a file."""
        request = exchange.request
        if request is None:
            raise AssertionError("an exchange without a request")
        if exchange.files is not None and exchange.files.answer(exchange):
            return
        try:
            session = self.pool.submit(exchange.app, request, exchange)
        except KeyError:
            # The app went away since the request's head was read.
            exchange.fail(RequestFailure(503, "the app is not there any more", 1))
        except Exception:  # noqa: BLE001 - answered and logged: a plugin's pool may fail
            _log.failure(
                "the pool can't take request {request_id} of {app}",
                request_id=exchange.request_id.decode("latin-1"),
                app=exchange.app,
            )
            exchange.fail(RequestFailure(500, "the pool failed"))
        else:
            exchange.session_began(session)

    def _set_keeping(self) -> None:
        keep = self._keeps_connections and not self.crowd.is_full
        for door in self._doors:
            door.keeps_alive = keep

    def _tick(self) -> None:
        self.crowd.look()
        self.access_log.flush()
        self.failure_log.tick()
        self.router.look()
