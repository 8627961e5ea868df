"""Frozen values that several layers share.

Runs in: every process.  Standard library only, Python 3.9 and newer, so no
`slots=True`, no `kw_only`, no run-time `X | Y`.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any, Mapping, NewType, Optional, Tuple

# A worker's number, unique over one controller's life.  A plain int because
# the pool looks workers up by it on every request; hashing a frozen dataclass
# costs twenty times as much.
WorkerId = NewType("WorkerId", int)

# Layers of the spawn server, as they are named in routes, journeys and status.
MANAGER = "spawn manager"
FRAMEWORK = "framework"
APP = "app"
WORKER = "worker"

# Why a spawn failed (SpawnError.category).
APP_ERROR = "app-error"  # the app's own code or files
TIMEOUT = "timeout"  # start_timeout passed
LAYER_DIED = "layer-died"  # one of the spawn server went away, or SIGKILL came
UNSAFE_FORK = "unsafe-fork"  # the fork-safety audit found something
HEALTH_CHECK = "health-check"  # it was ready and did not answer as it should
SYSTEM = "system"  # the operating system refused (fork, exec, sockets)
INTERNAL = "internal"  # our own fault
SPAWN_FAILURES = (
    *(APP_ERROR, TIMEOUT, LAYER_DIED, UNSAFE_FORK),
    *(HEALTH_CHECK, SYSTEM, INTERNAL),
)

# What a finding of the fork-safety audit means (Finding.level).
UNSAFE = "unsafe"  # the app is not forked
WARNING = "warning"  # it is forked, and somebody should know


@dataclass(frozen=True)
class Finding:
    """Something in a loaded app that a fork does not copy well.

    :ivar token: what allows it in ``fork_allow``, for example ``thread:sentry``.
    :ivar text: what it is, and what would go wrong.
    :ivar level: UNSAFE or WARNING.
    :ivar place: ``FILE:LINE`` of the code that made it, or "" if that is not
        known.
    :ivar hint: what the app's author can do, or "".
    """

    token: str
    text: str
    level: str = UNSAFE
    place: str = ""
    hint: str = ""

    def sentence(self) -> str:
        """What it is, where it was made, and how to allow it; one line."""
        notes = ["made at " + self.place] if self.place else []
        if self.level == UNSAFE:
            notes.append('allowed by fork_allow = ["%s"]' % self.token)
        return "%s (%s)" % (self.text, "; ".join(notes)) if notes else self.text


@dataclass(frozen=True)
class AppSpec:
    """One application, resolved: what its processes need to know about it.

    Sent down to the spawn server as JSON, so every field is text, a number,
    or a tuple or mapping of these.

    :ivar name: unique among the apps of a server.
    :ivar root: absolute folder of the app; workers start in it.
    :ivar framework: name of the framework plugin, for example ``django``.
    :ivar child: file name of the framework's child half in `RUNTIME_DIR/code`.
    :ivar entry: what to load: ``package.module:attribute``,
        ``folder/file.py:attribute`` or either with ``()`` behind the
        attribute for a factory.
    :ivar python: absolute path of the app's interpreter.
    :ivar environment: ``production`` or ``development``.
    :ivar env: extra environment variables, as pairs.
    :ivar base_uri: where the app is mounted, ``/`` or ``/shop``.
    :ivar threads: requests that one worker answers at a time.
    :ivar options: what the framework's detection found out and its child
        half needs, for example ``{"settings": "shop.settings"}``.
    :ivar framework_key: the parts that two apps must share to share one
        framework spawner; empty when there is no framework layer.
    :ivar user: name of the account that its processes belong to; "" when users
        are not switched.
    :ivar uid: of *user*; -1 when users are not switched.
    :ivar groups: supplementary groups of *user*.
    :ivar home: of *user*; *shell* likewise.
    :ivar limits: name as in setrlimit(2), without RLIMIT_ and in lower case,
        and value.
    :ivar log_file: absolute path of the file for what its processes print; ""
        for the server's log.
    :ivar spawner_max_age: seconds after which a spawner is not used for it any
        more; 0 for no limit.
    """

    name: str
    root: str
    framework: str = "wsgi"
    child: str = ""
    entry: str = ""
    python: str = ""
    environment: str = "production"
    env: Tuple[Tuple[str, str], ...] = ()
    base_uri: str = "/"
    threads: int = 1
    umask: int = 0o022
    warmup: Tuple[str, ...] = ()
    freeze: str = "gc"
    fork_allow: Tuple[str, ...] = ()
    start_timeout: float = 90.0
    options: Mapping[str, Any] = field(default_factory=dict)
    framework_key: Tuple[str, ...] = ()
    user: str = ""
    uid: int = -1
    gid: int = -1
    groups: Tuple[int, ...] = ()
    home: str = ""
    shell: str = ""
    limits: Tuple[Tuple[str, int], ...] = ()
    no_new_privileges: bool = True
    log_file: str = ""
    spawner_max_age: float = 0.0


@dataclass(frozen=True)
class SpawnRequest:
    """One wish for one worker.

    :ivar number: unique over one controller's life.
    :ivar route: the spawner layers to go through, outermost first:
        ``()`` a fresh interpreter, ``("app",)`` an app spawner,
        ``("framework", "app")`` both.
    :ivar generation: the app's restart count; spawners of an older
        generation are not used for it.
    :ivar spawner_idle_time: seconds after which a framework spawner without any
        app spawner ends; 0 for never.
    """

    number: int
    app: AppSpec
    route: Tuple[str, ...] = ()
    generation: int = 0
    spawner_idle_time: float = 0.0


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended: by exit *code* or by *signal*, never both."""

    code: Optional[int] = None
    signal: Optional[int] = None

    @classmethod
    def from_wait_status(cls, status: int) -> ExitStatus:
        """From the status that `os.waitpid` gives."""
        import os

        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status))
        return cls(code=os.WEXITSTATUS(status))

    def describe(self) -> str:
        """``exited with status 3`` or ``was killed by signal SIGKILL (9)``."""
        if self.signal is None:
            return "exited with status %s" % self.code
        try:
            name = signal.Signals(self.signal).name
        except ValueError:
            name = "unknown"
        return "was killed by signal %s (%d)" % (name, self.signal)


@dataclass(frozen=True)
class Step:
    """One step of a journey, by one process.

    :ivar who: the layer: one of MANAGER, FRAMEWORK, APP, WORKER or
        ``controller``.
    :ivar pid: the process that did it, 0 when unknown.
    :ivar name: for example ``load_app``.
    :ivar state: ``begun``, ``done`` or ``failed``.
    :ivar begun_at: seconds on CLOCK_MONOTONIC, which all processes of a
        machine share.
    :ivar seconds: how long it took; None while it is under way.
    """

    who: str
    pid: int
    name: str
    state: str
    begun_at: float
    seconds: Optional[float] = None


@dataclass(frozen=True)
class Scene:
    """Where a spawn failed: what a developer has to know to mend it.

    Secrets are masked by the process that fills it in.

    :ivar python: path of the interpreter.
    :ivar version: its version, for example ``3.12.1``.
    :ivar prefix: folder of its virtualenv, "" when it is in none.
    :ivar user: whose process it was, by number: ``uid 1000``.
    :ivar folder: the working directory.
    :ivar path: `sys.path`.
    :ivar environ: the environment, as ``NAME=value``.
    :ivar place: ``FILE:LINE`` of the app's own code that failed, or "".
    :ivar excerpt: the lines around it, each with its number; the line itself
        begins with ``>``.
    :ivar own_files: files in the traceback that are the app's own, no library's.
    """

    python: str = ""
    version: str = ""
    prefix: str = ""
    user: str = ""
    folder: str = ""
    path: Tuple[str, ...] = ()
    environ: Tuple[str, ...] = ()
    place: str = ""
    excerpt: str = ""
    own_files: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """How many workers and waiters one app may have.

    :ivar min_instances: kept from the first request on.
    :ivar max_instances: 0 for as many as the pool holds.
    :ivar spawn_concurrency: spawns of this app under way at a time.
    :ivar max_queue_size: waiting requests; 0 for no limit.
    :ivar max_queue_time: seconds in the queue before 504; 0 for no limit.
    :ivar concurrency: sessions that one worker carries (its threads).
    :ivar spare_workers: idle workers that are kept beyond the need.
    :ivar max_requests: a worker is replaced after about so many; 0 for never.
    :ivar memory_limit: bytes of its own (USS) above which a worker is
        replaced; 0 for no limit.
    :ivar hard_memory_limit: bytes of its own above which a worker is killed;
        0 for no limit.
    :ivar restart_parallelism: workers that a rolling restart replaces at a time.
    :ivar drain_time: seconds that a worker that is to leave may go on with its
        sessions before it is killed; 0 for ever.
    """

    min_instances: int = 1
    max_instances: int = 0
    spawn_concurrency: int = 1
    max_queue_size: int = 100
    max_queue_time: float = 0.0
    concurrency: int = 1
    prestart: bool = False
    spare_workers: int = 0
    max_requests: int = 0
    memory_limit: int = 0
    hard_memory_limit: int = 0
    restart_parallelism: int = 1
    drain_time: float = 0.0
