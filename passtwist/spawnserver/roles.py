"""What `bootstrap.py ROLE` becomes.

Runs in: every process that is started by exec below the controller.
"""

from __future__ import annotations

import os
import socket
import traceback
from typing import NoReturn, Optional

from passtwist.spawnserver.channel import Channel
from passtwist.spawnserver.layer import Task
from passtwist.worker import lifeline, signals
from passtwist.worker.process import STDERR, close_all_but, flush_streams
from passtwist.worker.title import set_title

# Where a spawner finds its channel, its lifeline and the pipe for its stacks.
CONTROL = 3
LIFELINE = 4
STACKS = 5
# Where a fresh worker finds its request, and the first of its descriptors.
REQUEST = 3
FIRST_OF_WORKER = 4

# sysexits.h: an internal software error.
EXIT_INTERNAL = 70


def run(role: str, code: str) -> NoReturn:
    """Be *role* until it ends.  Does not return and never runs atexit.

    :param role: ``manager``, ``framework-spawner``, ``app-spawner`` or
        ``worker``.
    :param code: RUNTIME_DIR/code.
    """
    status = 0
    try:
        task: Optional[Task] = _first_task(role, code)
        while task is not None:
            task = task()
    except BaseException:  # noqa: BLE001 - logged
        # Said on stderr, which is a pipe to the log: a process of the spawn
        # server must not go on as if it were the interpreter's main program.
        status = EXIT_INTERNAL
        traceback.print_exc()
    finally:
        try:
            flush_streams()
        finally:
            # Whatever happened: the interpreter's own end would wait for threads.
            os._exit(status)


def _first_task(role: str, code: str) -> Task:
    if role == "worker":
        from passtwist.spawnserver.fresh_worker import work

        return lambda: work(REQUEST, FIRST_OF_WORKER, code)
    signals.settle_spawner()
    # The manager has no such pipe: its stacks go to the log.
    own = (CONTROL, LIFELINE) if role == "manager" else (CONTROL, LIFELINE, STACKS)
    close_all_but(own)
    for descriptor in own:
        os.set_inheritable(descriptor, False)
    signals.show_stacks_on(STACKS if STACKS in own else STDERR)
    # Armed before exec by whoever started us, except for the manager itself;
    # arming twice changes nothing.
    lifeline.arm(LIFELINE)
    above = Channel(socket.socket(fileno=CONTROL))
    if role == "manager":
        from passtwist.spawnserver.manager import SpawnManager

        set_title("spawn manager")
        return SpawnManager(above, LIFELINE, code).run
    if role == "framework-spawner":
        from passtwist.spawnserver.framework_spawner import become_framework_spawner

        return become_framework_spawner(above, LIFELINE, code)
    if role == "app-spawner":
        from passtwist.spawnserver.app_spawner import become_app_spawner

        return become_app_spawner(above, LIFELINE, code)
    raise ValueError("no role %r" % role)
