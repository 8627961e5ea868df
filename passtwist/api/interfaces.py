"""The interfaces between the layers of the controller, and to its plugins.

Runs in: the controller.  Hooks register, interfaces behave: a hook is
synchronous and answers with providers of these; what takes time is a method
of a provider and returns a Deferred.

All zope interfaces live in this one module so that mypy sees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from passtwist.api.error_page import IErrorPage as IErrorPage
from passtwist.api.policies import IPoolPolicy as IPoolPolicy
from passtwist.api.sessions import IBodyStream as IBodyStream
from passtwist.api.sessions import IBodyTaker as IBodyTaker
from passtwist.api.sessions import IPool as IPool
from passtwist.api.sessions import IRequest as IRequest
from passtwist.api.sessions import IResponder as IResponder
from passtwist.api.sessions import ISession as ISession
from passtwist.api.sessions import ITunnelEnd as ITunnelEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.defer import Deferred

    from passtwist.api.detection import AppFiles, Detection
    from passtwist.api.reactors import Reactor
    from passtwist.model import AppSpec, ExitStatus, SpawnRequest

# --- spawning -----------------------------------------------------------------


class IWorker(Interface):
    """A running worker, from ready until reaped.  The pool owns its life."""

    pid: int = Attribute("Verified to be our own child.")
    socket_path: str = Attribute("The Unix socket on which it accepts sessions.")
    protocol: str = Attribute("'session', or 'http' for workers that speak HTTP/1.1.")
    concurrency: int = Attribute("Connections that it serves at a time.")
    upgrades: tuple[str, ...] = Attribute(
        "Protocols, in lower case, that it can go over to on a connection; only "
        "workers that speak HTTP/1.1 can."
    )
    scoreboard: memoryview | None = Attribute(
        "Its page, cast to 'Q' (passtwist.wire.scoreboard); None for protocol 'http'."
    )
    spawn_method: str = Attribute("The method that it came by.")
    spawn_seconds: float = Attribute("From the decision to spawn until ready.")
    journey: tuple[object, ...] = Attribute(
        "passtwist.model.Step values, oldest first."
    )

    def when_exited() -> Deferred[ExitStatus]:
        """Fires with the exit status once the process has been reaped.

        A new Deferred for each caller; never errbacks.
        """

    def terminate() -> None:
        """Ask it to finish its requests and leave (SIGTERM).  Never raises."""

    def kill() -> None:
        """End it and its process group now (SIGKILL).  Never raises."""

    def reopen_log() -> None:
        """Open its ``log_file`` anew, which was moved away.  Never raises.

        Nothing happens to a worker of protocol 'http'.
        """

    def stacks() -> Deferred[str]:
        """The stacks of all its threads; it goes on with what it does.

        The process is asked before this returns.

        :returns: errbacks with `passtwist.api.failures.NoStacks` when it does
            not tell, after a few seconds.
        """


class ISpawner(Interface):
    """Starts the workers of one app by one spawn method."""

    method: str = Attribute("The method that is in effect now.")
    reason: str = Attribute("Why it is not the one asked for; '' when it is.")

    def spawn(request: SpawnRequest) -> Deferred[IWorker]:
        """Start one worker.

        *request* names app, number and generation; its route is empty and
        the spawner's to choose.

        :returns: fires with the worker when it is ready; errbacks with
            `passtwist.errors.SpawnError`, and with nothing else.  Cancelling
            it ends whatever was started for it.
        """

    def stop() -> None:
        """The app, or its code, is gone or replaced: let go of what is kept for it.

        Each generation of an app has a spawner of its own, and those of other
        generations may go on.
        """


class ISpawnToolkit(Interface):
    """What a spawn method builds on.  The controller hands one to each."""

    def spawn(request: SpawnRequest) -> Deferred[IWorker]:
        """Start a worker through the layers that ``request.route`` names.

        ``()`` is a fresh interpreter that loads the app itself; ``("app",)``
        forks from an app spawner; ``("framework", "app")`` has that forked
        from a framework spawner.  Spawners are started when they are missing.
        A layer that died is replaced and the spawn tried again, once.

        :returns: as `ISpawner.spawn`.
        """

    def retire(app: str, below: int | None = None, since: int | None = None) -> None:
        """End the app spawners of *app*; its workers go on.

        :param below: only those of generations before this one.
        :param since: only those of this generation and later ones.
        """


class ISpawnMethod(Interface):
    """A way for workers to come to be; what a spawn method plugin provides."""

    name: str = Attribute("As in the setting `spawn_method`.")
    aliases: tuple[str, ...] = Attribute("Other names for it.")
    description: str = Attribute("One line for `--list-plugins`.")

    def create_spawner(app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """A spawner for one generation of one app.  Starts no process yet."""


class IFramework(Interface):
    """A web framework; what a framework plugin provides.

    Its other half, `child`, runs inside the app's processes.
    """

    name: str = Attribute("As in the setting `framework`.")
    description: str = Attribute("One line for `--list-plugins`.")
    priority: int = Attribute(
        "Frameworks are asked from the highest to the lowest; the first that "
        "detects the app has it.  Django 100, Flask 80, plain WSGI 0."
    )
    child: str = Attribute(
        "Absolute path of the child half: one file, standard library only, "
        "with a function load(app) and optionally preload(app), "
        "warm(app, application), before_fork(app), after_fork(app, worker), "
        "serve(app, application, server)."
    )
    distribution: str = Attribute(
        "The distribution that a framework spawner imports, for example "
        "'Django'; '' when there is no framework layer."
    )

    def detect(files: AppFiles) -> Detection | None:
        """Look at names, and at words in files; never import or execute.

        :returns: what was found; None when this is no app of this framework.
        """


# --- restarting ---------------------------------------------------------------


class IRestartableApp(Interface):
    """An app, as a trigger of restarts sees it."""

    name: str = Attribute("Unique among the apps of a server.")
    root: str = Attribute(
        "Absolute folder of the app, as configured: a link in it may lead to "
        "another place at any time.  It may be another user's than ours."
    )
    restart_dir: str = Attribute("The setting: a folder, relative to the root.")
    environment: str = Attribute("'production' or 'development'.")

    def restart(reason: str) -> None:
        """Replace its workers, one by one, by such as have the code of now.

        Requests that come together are one restart.

        :param reason: what asks for it, for the log.
        """

    def restart_before_requests(reason: str) -> None:
        """From now on, answer no request by code that was loaded before it came.

        Requests wait for a restart, which is asked for when one comes.

        :param reason: what asks for it, for the log; "" to end it.
        """


class IRestartTrigger(Interface):
    """Knows when an app wants a restart; what a plugin for that provides."""

    name: str = Attribute("For lists and the log.")
    description: str = Attribute("One line for `--list-plugins`.")

    def watch(app: IRestartableApp, reactor: Reactor) -> Callable[[], None]:
        """Look after *app* from now on.

        Called for each app, in the reactor's thread, when the server starts or
        the app is added.  Must not block.

        :param reactor: for time and descriptors.  Its `callFromThread` may be
            called from any thread; nothing else here may.
        :returns: a function that ends it, called once.
        """


class ISpawnerStatus(Interface):
    """A spawner process, for status."""

    kind: str = Attribute("'framework' or 'app'.")
    pid: int = Attribute("Its pid.")
    key: str = Attribute("What it is for: a framework's key, or an app's name.")
    app: str = Attribute("The app that it was started for.")
    age: float = Attribute("Seconds since it was started.")

    def stacks() -> Deferred[str]:
        """The stacks of all its threads, as `IWorker.stacks`."""


class IStartingWorker(Interface):
    """The process of a worker that is not ready yet, for status."""

    pid: int = Attribute("Verified to be our own child.")

    def stacks() -> Deferred[str]:
        """The stacks of all its threads, as `IWorker.stacks`."""


class ISpawnServer(ISpawnToolkit):
    """The spawn server as the service sees it: the toolkit, and its life."""

    spawner_idle_time: float = Attribute("The setting, in seconds; may be changed.")

    def start() -> None:
        """Start the manager.

        :raises passtwist.errors.StartupError: it can't be started.
        """

    def stop() -> Deferred[None]:
        """End manager and spawners; workers are not touched.

        :returns: fires when they are gone; never errbacks.
        """

    def manager_pid() -> int:
        """Pid of the spawn manager, 0 when there is none."""

    def starting(number: int) -> IStartingWorker | None:
        """The process that is to be worker *number*.

        :returns: None before there is one, and when it is ready or has failed.
        """

    def spawners() -> Sequence[ISpawnerStatus]:
        """The spawner processes that run."""

    def output_dropped() -> Mapping[str, int]:
        """Lines that apps printed too fast to be logged, by app, if any."""


class IPasstwistService(Interface):
    """The whole server as a service (also an IService)."""

    def status() -> dict[str, object]:
        """What `status --json` prints."""
