"""The one place that knows concrete classes: from settings to a service.

Runs in: the controller.  Only builds objects: twistd forks between this and
`privilegedStartService`, so no descriptor, process or timer may be made here.
"""

from __future__ import annotations

import os
import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from passtwist.admin.server import AdminServer
from passtwist.api.registry import Registry
from passtwist.api.settings import Settings, load_file
from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.front import FrontEnd
from passtwist.http.health_request import health_request
from passtwist.http.spool import mistakes_of_folder
from passtwist.pool import Pool, PoolLimits
from passtwist.service.apps import App
from passtwist.service.draining import Draining
from passtwist.service.driver import Driver
from passtwist.service.gates import Gates
from passtwist.service.in_flight import InFlight
from passtwist.service.listening.endpoints import mistakes
from passtwist.service.listening.listeners import Listeners
from passtwist.service.logs import Logs
from passtwist.service.memory import MemorySampler
from passtwist.service.memory_limits import MemoryLimits
from passtwist.service.memory_report import MemoryReport
from passtwist.service.notifications import Notifications
from passtwist.service.orders import Orders
from passtwist.service.parts import Parts
from passtwist.service.poller import Poller
from passtwist.service.reload import Makers, Reload
from passtwist.service.restart_orders import RestartOrders
from passtwist.service.restarts import Restarts
from passtwist.service.server_orders import ServerOrders
from passtwist.service.service import PasstwistService
from passtwist.service.sessions.gateway import Gateway
from passtwist.service.sessions.policing import Policing
from passtwist.service.status import Status
from passtwist.service.time_limits import TimeLimits
from passtwist.service.triggers import Triggers
from passtwist.service.tunnels import Tunnels
from passtwist.spawning import examination
from passtwist.spawning.runtime_dir import RuntimeDir
from passtwist.spawning.toolkit import SpawnServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.interfaces import IErrorPage
    from passtwist.api.settings import AppSettings, ServerSettings
    from passtwist.model import AppSpec
    from passtwist.service.parts import IsWatch
    from passtwist.spawning.examination import Examination


def make_service(
    settings: Settings | str | os.PathLike[str],
    reactor: Any = None,
    registry: Registry | None = None,
    read: Callable[[], Settings] | None = None,
) -> PasstwistService:
    """A server as a Twisted service, for tac files and for tests.

    :param settings: or the path of a ``passtwist.toml``.
    :param reactor: the one to use; by default the installed one, whose signals
        the service then answers as well (`PasstwistService.handle_signals`):
        in a tac file nobody else would, and by Twisted's own handlers a clean
        stop ends with the status of a death by signal.
    :param registry: the plugins; by default those that are installed and
        those that the settings name.
    :param read: reads *settings* again, for a reload; None when they come from
        no file.  Not needed for the path of a file.
    :raises SettingsError: the file is wrong; all problems at once.
    :raises PluginError: a plugin is broken.
    """
    if not isinstance(settings, Settings):
        # twistd may go to another folder afterwards.
        path, here = os.path.abspath(settings), os.getcwd()
        settings = load_file(path)
        read = partial(load_file, path, here=here)
    answers_signals = reactor is None
    if reactor is None:
        from twisted.internet import reactor
    if registry is None:
        registry = Registry.load(settings.server.plugin_files)
    service = Assembly(settings, read, reactor, registry).service()
    if answers_signals:
        service.handle_signals(reactor)
    return service


def mistakes_of_server(server: ServerSettings) -> list[str]:
    """What is wrong with where to listen and to write, a sentence each."""
    return [*mistakes_of_folder(server.spool_dir), *mistakes(server.listen)]


def examine(app: AppSpec, registry: Registry) -> Examination:
    """Load an app as an app spawner would, and see whether it stands a fork.

    Runs the installed reactor, which can't be used again in this process.

    :raises StartupError: there is no room for a spawn server.
    :raises KeyboardInterrupt: it was interrupted.
    """
    from twisted.internet import reactor

    return examination.run(reactor, app, registry.child_files)


class Assembly:
    """Makes the parts of one server, each when it is first asked for.

    So that they may be written down in any order, and none is made twice.

    :param read: reads *settings* again; None when they come from no file.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings] | None,
        reactor: Any,
        registry: Registry,
    ) -> None:
        self._settings = settings
        self._server = settings.server
        self._read = read
        self._reactor = reactor
        self._registry = registry
        self._now = time.monotonic

    def service(self) -> PasstwistService:
        """The whole."""
        parts = Parts(
            reactor=self._reactor,
            listeners=Listeners(
                self._reactor,
                self._server.listen,
                self.front_end.open_door,
                poller=self.poller,
            ),
            front_end=self.front_end,
            access_log=self.access_log,
            logs=self.logs,
            gateway=self.gateway,
            driver=self.driver,
            apps=self.apps,
            spawn_server=self.spawn_server,
            runtime=self.runtime,
            admin=self.admin,
            memory=self.memory,
            watches=self.watches,
            status=self.status,
            triggers=self.triggers,
            notifications=Notifications(self._reactor, os.environ),
        )
        self.reload.parts = parts
        self.runtime.when_made_anew.append(self.admin.restart)
        self.driver.listeners.append(self.restarts.noticed)
        return PasstwistService(parts, self.reload, self.draining)

    @cached_property
    def poller(self) -> Poller:
        return Poller(self._reactor)

    # --- apps and their workers -----------------------------------------------

    @cached_property
    def runtime(self) -> RuntimeDir:
        return RuntimeDir(self._server.runtime_dir)

    @cached_property
    def spawn_server(self) -> SpawnServer:
        return SpawnServer(
            self._reactor,
            self.runtime,
            self._registry.child_files,
            self._server.spawner_idle_time,
        )

    @cached_property
    def apps(self) -> dict[str, App]:
        return {app.name: self._app(app, self._server) for app in self._settings.apps}

    def _app(self, settings: AppSettings, server: ServerSettings) -> App:
        return App(settings, server, self._registry, self.spawn_server)

    @cached_property
    def pool(self) -> Pool:
        return Pool(_pool_limits(self._server))

    @cached_property
    def driver(self) -> Driver:
        return Driver(
            self._reactor,
            self._now,
            self.apps,
            self.spawn_server,
            health_request,
            self.poller,
        )

    @cached_property
    def gateway(self) -> Gateway:
        policy = self._registry.pool_policy
        checkout = Policing(policy, self.pool, self._now).checkout if policy else None
        gateway = Gateway(self.pool, self._now, self.driver.perform, checkout)
        self.driver.gateway = gateway
        return gateway

    @cached_property
    def restarts(self) -> Restarts:
        return Restarts(self.gateway.tell, self.apps)

    @cached_property
    def triggers(self) -> Triggers:
        gates = Gates(self.gateway, self.restarts, self.apps)
        found = self._registry.restart_triggers
        return Triggers(self._reactor, found, self.apps, self.restarts, gates)

    @cached_property
    def memory(self) -> MemorySampler:
        return MemorySampler(self.driver.workers, self.spawn_server)

    @cached_property
    def watches(self) -> tuple[IsWatch, ...]:
        workers, tell = self.driver.workers, self.gateway.tell
        return (
            TimeLimits(self._reactor, self._now, self.apps, workers, tell),
            MemoryLimits(self.apps, workers, tell),
            Tunnels(self._reactor, self.pool, workers),
        )

    # --- clients --------------------------------------------------------------

    @cached_property
    def access_log(self) -> AccessLog:
        return _access_log(self._server)

    @cached_property
    def logs(self) -> Logs:
        return Logs(
            self.access_log, self.spawn_server.output_dropped, self.driver.reopen_logs
        )

    @cached_property
    def front_end(self) -> FrontEnd:
        return FrontEnd(
            self.gateway,
            _sites(self._settings),
            self._front_end_config(self._server),
            self._reactor,
            self.access_log,
            now=self._now,
        )

    def _front_end_config(self, server: ServerSettings) -> FrontEndConfig:
        """:raises PluginError: nobody can make the error pages that it wants."""
        return _front_end_config(server, self._registry.error_page(server.error_pages))

    # --- the server as a whole ------------------------------------------------

    @cached_property
    def draining(self) -> Draining:
        return Draining(self.front_end, self._now)

    @cached_property
    def reload(self) -> Reload:
        makers = Makers(
            read=self._read,
            app=self._app,
            pool_limits=_pool_limits,
            front_end=lambda settings: self.front_end.prepare(
                _sites(settings), self._front_end_config(settings.server)
            ),
            access_log=_access_log,
        )
        return Reload(self._settings, makers, self.restarts.request, self.draining)

    @cached_property
    def server_orders(self) -> ServerOrders:
        return ServerOrders(self.draining, self.reload, self.front_end)

    @cached_property
    def status(self) -> Status:
        return Status(
            self.pool,
            self.apps,
            self.driver.workers,
            self.spawn_server,
            self.memory,
            self._now,
            self._server.runtime_dir,
            self.server_orders.state,
            self.logs.page,
        )

    @cached_property
    def admin(self) -> AdminServer:
        workers, server = self.driver.workers, self.server_orders
        report = MemoryReport(self.memory, self.status, self.spawn_server)
        in_flight = InFlight(self.pool, self.gateway.gates, workers, self._now)
        restarts = RestartOrders(self.restarts, self.pool, workers, self._now)
        orders = Orders(self.pool, workers, self.spawn_server, self.gateway.tell)
        pages = {
            "status": self.status.page,
            "memory": report.page,
            "requests": in_flight.page,
            "ready": server.ready,
            "restarts": restarts.page,
        }
        commands = {
            "restart": restarts.restart,
            "detach": orders.detach,
            "disable": orders.disable,
            "enable": orders.enable,
            "backtrace": orders.backtrace,
            "drain": server.drain,
            "undrain": server.undrain,
            "reload": server.reload,
        }
        return AdminServer(self._reactor, pages, commands)


def _access_log(server: ServerSettings) -> AccessLog:
    return AccessLog(server.access_log, server.access_log_format)


def _pool_limits(server: ServerSettings) -> PoolLimits:
    return PoolLimits(
        max_pool_size=server.max_pool_size,
        pool_idle_time=server.pool_idle_time,
        spawner_idle_time=server.spawner_idle_time,
    )


def _sites(settings: Settings) -> list[Site]:
    return [
        Site(
            app.name,
            app.hosts,
            app.base_uri,
            app.max_body,
            app.environment,
            app.buffer_requests,
            root=app.root,
            user=app.user,
            static=app.static,
            public=app.public,
            static_max_age=app.static_max_age,
            sendfile=app.sendfile,
            accel=app.accel,
        )
        for app in settings.apps
    ]


def _front_end_config(
    server: ServerSettings, error_page: IErrorPage | None
) -> FrontEndConfig:
    limits = HttpLimits(
        header_deadline=server.header_deadline,
        body_read_timeout=server.body_read_timeout,
        body_grace=server.body_grace,
        body_min_rate=server.body_min_rate,
        send_timeout=server.send_timeout,
        send_min_rate=server.send_min_rate,
        keep_alive=server.keep_alive,
        requests_per_connection=server.requests_per_connection,
        max_connections=server.max_connections,
        max_request_line=server.max_request_line,
        max_header_fields=server.max_header_fields,
        max_header_field=server.max_header_field,
        max_header_bytes=server.max_header_bytes,
        body_memory=server.body_memory,
        response_memory=server.response_memory,
        response_spool=server.response_spool,
    )
    return FrontEndConfig(
        environment=server.environment,
        trusted_proxies=server.trusted_proxies,
        proxy_hops=server.proxy_hops,
        proxy_headers=server.proxy_headers,
        limits=limits,
        max_buffers=server.max_buffers,
        max_spool=server.max_spool,
        spool_dir=server.spool_dir,
        error_page=error_page,
        powered_by=server.powered_by,
    )
