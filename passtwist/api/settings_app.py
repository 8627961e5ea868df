"""The settings of one app, each declared once.

Runs in: the controller and the command.  Pure.
"""

from __future__ import annotations

import attrs

from passtwist.api import settings_checks as checks
from passtwist.api.settings_declare import setting
from passtwist.api.settings_kinds import (
    Choice,
    Duration,
    Integer,
    Size,
    Switch,
    Table,
    Text,
    TextList,
    Umask,
)
from passtwist.api.settings_server import ENVIRONMENTS

# A worker has one scoreboard slot per thread, and one page of them.
MAX_THREADS = 128


@attrs.frozen(kw_only=True)
class AppSettings:
    """One ``[[app]]``.  Durations are seconds, sizes are bytes.

    Tables are sorted pairs, so that settings can be compared and hashed.
    """

    name: str = setting(
        Text(checks.app_name),
        "",
        "unique among the apps; empty: the folder's name",
        in_defaults=False,
    )
    root: str = setting(Text(), "", "folder of the app; required", in_defaults=False)
    hosts: tuple[str, ...] = setting(
        TextList(checks.host),
        [],
        'host names that it answers to, "*.example.org" for all below; empty: any',
        live=True,
    )
    base_uri: str = setting(
        Text(checks.base_uri), "/", "path under which it is mounted"
    )
    framework: str = setting(
        Text(checks.plugin_name),
        "auto",
        "django, flask, wsgi or the name of a plugin's; auto: detect it",
        flag="framework",
    )
    entry: str = setting(
        Text(),
        "",
        'what to load: "shop.wsgi:application", "shop:create_app()" or '
        '"folder/file.py:app"; empty: detect it',
        flag="entry",
    )
    python: str = setting(
        Text(),
        "",
        "its interpreter, relative paths starting at root; empty: .venv or venv in "
        "root, else our own",
        flag="python",
    )
    spawn_method: str = setting(
        Text(checks.plugin_name),
        "auto",
        "smart, smart-lv2, conservative (also direct), auto or a plugin's",
        flag="spawn-method",
        short="s",
    )
    fork_allow: tuple[str, ...] = setting(
        TextList(checks.fork_finding),
        [],
        "findings of the fork-safety audit to accept",
    )
    min_instances: int = setting(
        Integer(0, 10_000),
        1,
        "workers that are kept from the first request on",
        flag="min-instances",
        live=True,
    )
    max_instances: int = setting(
        Integer(0, 10_000), 0, "workers at most; 0: as many as max_pool_size", live=True
    )
    prestart: bool = setting(
        Switch(), False, "start min_instances workers with the server", live=True
    )
    threads: int = setting(
        Integer(1, MAX_THREADS),
        1,
        "requests that one worker answers at a time",
        flag="threads",
    )
    spawn_concurrency: int = setting(
        Integer(1, 100), 1, "workers of this app that are started at a time", live=True
    )
    spare_workers: int = setting(
        Integer(0, 10_000), 0, "idle workers kept beyond the need", live=True
    )
    spawner_max_age: float = setting(
        Duration(), "0s", "renew spawners of this app at this age; 0: never"
    )
    warmup: tuple[str, ...] = setting(
        TextList(checks.url_path),
        [],
        "paths to GET inside the app spawner before it forks",
    )
    freeze: str = setting(
        Choice("gc", "off", "immortal"),
        "gc",
        "how the loaded heap is kept shared between workers; immortal: CPython 3.12 "
        "and 3.13 only",
    )
    env: tuple[tuple[str, str], ...] = setting(
        Table(checks.variable, Text()), {}, "environment variables for its processes"
    )
    environment: str = setting(
        Choice("", *ENVIRONMENTS), "", "as of the server, which is the default"
    )
    user: str = setting(
        Text(),
        "",
        "user to run as; empty: the owner of its startup file; a server that does "
        "not run as root takes only its own",
    )
    group: str = setting(
        Text(),
        "",
        "group to run as; empty: the user's; !STARTUP_FILE!: that of its startup file",
    )
    umask: int = setting(Umask(), "022", "file mode creation mask of its processes")
    limits: tuple[tuple[str, int], ...] = setting(
        Table(checks.limit_name, Size()),
        {},
        "resource limits of its processes, as in setrlimit(2), soft and hard",
    )
    no_new_privileges: bool = setting(
        Switch(), True, "set-uid programs give its processes nothing"
    )
    start_timeout: float = setting(
        Duration(0.1), "90s", "a worker must be ready so long after its spawn began"
    )
    max_requests: int = setting(
        Integer(0, 1_000_000_000),
        0,
        "a worker leaves after so many requests; 0: never",
        live=True,
    )
    max_request_time: float = setting(
        Duration(),
        "0s",
        "a request that runs longer is answered 504 and its worker ended; 0: never",
        live=True,
    )
    max_queue_size: int = setting(
        Integer(0, 1_000_000),
        100,
        "waiting requests at most, else 503; 0: no limit",
        live=True,
    )
    max_queue_time: float = setting(
        Duration(), "0s", "longest time in the queue, else 504; 0: no limit", live=True
    )
    memory_limit: int = setting(
        Size(),
        "0",
        "a worker that has more memory for itself (USS) is replaced; 0: no limit",
        live=True,
    )
    hard_memory_limit: int = setting(
        Size(),
        "0",
        "a worker that has more memory for itself (USS) is killed; 0: no limit",
        live=True,
    )
    restart_dir: str = setting(
        Text(checks.folder_inside),
        "tmp",
        "folder in root that is watched for restart.txt and always_restart.txt",
        live=True,
    )
    restart_parallelism: int = setting(
        Integer(1, 1000),
        1,
        "workers that a rolling restart replaces at a time",
        live=True,
    )
    drain_time: float = setting(
        Duration(),
        "5m",
        "a worker that is to leave is killed when its requests take longer; 0: never",
        live=True,
    )
    health_check: str = setting(
        Text(checks.url_path),
        "",
        "path that a new worker must answer before it serves",
        live=True,
    )
    buffer_requests: bool = setting(
        Switch(),
        True,
        "take a worker only when a request has arrived whole; false: for apps that "
        "read bodies as they come",
        live=True,
    )
    max_body: int = setting(
        Size(),
        "100MiB",
        "largest body of a request, else status 413; 0: no limit",
        live=True,
    )
    static: tuple[tuple[str, str], ...] = setting(
        Table(checks.path_of_files, Text(checks.folder_of_files, empty=False)),
        {},
        "paths below base_uri, and the folders in root from which files are served "
        "there without the app",
        live=True,
    )
    public: str = setting(
        Text(checks.folder_of_files),
        "public",
        "folder in root: a file in it that a path names is served in place of the "
        "app; empty: none",
        live=True,
    )
    static_max_age: float = setting(
        Duration(),
        "60s",
        "how long clients may keep files of static and public without asking; "
        "0: not at all",
        live=True,
    )
    sendfile: tuple[str, ...] = setting(
        TextList(checks.folder_of_files),
        [],
        "folders of which the app may have files sent by the header X-Sendfile",
        live=True,
    )
    accel: tuple[tuple[str, str], ...] = setting(
        Table(checks.base_uri, Text(checks.folder_of_files, empty=False)),
        {},
        "URIs of the header X-Accel-Redirect, and the folders of which the app may "
        "have files sent by them",
        live=True,
    )
    log_file: str = setting(
        Text(),
        "",
        "file for what its processes print, opened as its user and not through a "
        "link; empty: the server's log",
    )
