"""The one place that knows concrete classes: from settings to a service.

Runs in: the controller.  Only builds objects: twistd forks between this and
`privilegedStartService`, so no descriptor, process or timer may be made here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from passtwist.admin.server import AdminServer
from passtwist.api.registry import Registry
from passtwist.api.settings import Settings, load_file
from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.front import FrontEnd
from passtwist.pool import Pool, PoolLimits
from passtwist.service.apps import App
from passtwist.service.driver import Driver
from passtwist.service.gateway import Gateway
from passtwist.service.in_flight import InFlight
from passtwist.service.listeners import Listeners
from passtwist.service.memory import MemorySampler
from passtwist.service.memory_report import MemoryReport
from passtwist.service.orders import Orders
from passtwist.service.parts import Parts
from passtwist.service.service import PasstwistService
from passtwist.service.status import Status
from passtwist.spawning import examination
from passtwist.spawning.runtime_dir import RuntimeDir
from passtwist.spawning.toolkit import SpawnServer

if TYPE_CHECKING:
    import os

    from passtwist.api.settings import ServerSettings
    from passtwist.model import AppSpec
    from passtwist.spawning.examination import Examination


def make_service(
    settings: Settings | str | os.PathLike[str],
    reactor: Any = None,
    registry: Registry | None = None,
) -> PasstwistService:
    """A server as a Twisted service, for tac files and for tests.

    :param settings: or the path of a ``passtwist.toml``.
    :param reactor: the one to use; by default the installed one, whose signals
        the service then answers as well (`PasstwistService.handle_signals`):
        in a tac file nobody else would, and by Twisted's own handlers a clean
        stop ends with the status of a death by signal.
    :param registry: the plugins; by default those that are installed and
        those that the settings name.
    :raises SettingsError: the file is wrong; all problems at once.
    :raises PluginError: a plugin is broken.
    """
    if not isinstance(settings, Settings):
        settings = load_file(str(settings))
    answers_signals = reactor is None
    if reactor is None:
        from twisted.internet import reactor
    if registry is None:
        registry = Registry.load(settings.server.plugin_files)
    parts = _assemble(settings, reactor, registry)
    service = PasstwistService(
        parts,
        settings.server.shutdown_timeout,
        settings.warnings(),
        settings.check_standing,
    )
    if answers_signals:
        service.handle_signals(reactor)
    return service


def examine(app: AppSpec, registry: Registry) -> Examination:
    """Load an app as an app spawner would, and see whether it stands a fork.

    Runs the installed reactor, which can't be used again in this process.

    :raises StartupError: there is no room for a spawn server.
    :raises KeyboardInterrupt: it was interrupted.
    """
    from twisted.internet import reactor

    return examination.run(reactor, app, registry.child_files)


def _assemble(settings: Settings, reactor: Any, registry: Registry) -> Parts:
    server = settings.server
    now = time.monotonic
    runtime = RuntimeDir(server.runtime_dir)
    spawn_server = SpawnServer(
        reactor, runtime, registry.child_files, server.spawner_idle_time
    )
    apps = {app.name: App(app, server, registry, spawn_server) for app in settings.apps}
    pool = Pool(_pool_limits(server))
    driver = Driver(reactor, now, apps, spawn_server)
    gateway = driver.gateway = Gateway(pool, now, driver.perform)
    log = AccessLog(server.access_log, server.access_log_format)
    front_end = FrontEnd(
        gateway, _sites(settings), _front_end_config(server), reactor, log
    )
    memory = MemorySampler(driver.workers, spawn_server)
    status = Status(
        pool, apps, driver.workers, spawn_server, memory, now, server.runtime_dir
    )
    report = MemoryReport(memory, status, spawn_server)
    in_flight = InFlight(pool, driver.workers, now)
    orders = Orders(pool, driver.workers, spawn_server, gateway.tell)
    pages = {
        "status": status.page,
        "memory": report.page,
        "requests": in_flight.page,
    }
    commands = {
        "detach": orders.detach,
        "disable": orders.disable,
        "enable": orders.enable,
        "backtrace": orders.backtrace,
    }
    admin = AdminServer(reactor, pages, commands)
    runtime.when_made_anew.append(admin.restart)
    return Parts(
        reactor=reactor,
        listeners=Listeners(reactor, server.listen, front_end),
        front_end=front_end,
        access_log=log,
        gateway=gateway,
        driver=driver,
        apps=apps,
        spawn_server=spawn_server,
        runtime=runtime,
        admin=admin,
        memory=memory,
        status=status,
    )


def _pool_limits(server: ServerSettings) -> PoolLimits:
    return PoolLimits(
        max_pool_size=server.max_pool_size,
        pool_idle_time=server.pool_idle_time,
        spawner_idle_time=server.spawner_idle_time,
    )


def _sites(settings: Settings) -> list[Site]:
    return [
        Site(app.name, app.hosts, app.base_uri, app.max_body, app.environment)
        for app in settings.apps
    ]


def _front_end_config(server: ServerSettings) -> FrontEndConfig:
    limits = HttpLimits(
        header_deadline=server.header_deadline,
        body_read_timeout=server.body_read_timeout,
        send_timeout=server.send_timeout,
        keep_alive=server.keep_alive,
        requests_per_connection=server.requests_per_connection,
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
        limits=limits,
    )
