"""A worker, from the loaded app to its end.

Runs in: workers.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Mapping, NoReturn

from passtwist import lifecycle
from passtwist.worker import signals
from passtwist.worker.board import map_page
from passtwist.worker.journal import Journal
from passtwist.worker.leaving import leave
from passtwist.worker.process import reopen_log
from passtwist.worker.serving import Server
from passtwist.worker.wsgi import Application, WsgiHalf

PROTOCOL = "session"


@dataclass(frozen=True)
class WorkerFacts:
    """What a framework's `after_fork` is told about the new worker.

    :ivar number: of the spawn, unique over one controller's life.
    :ivar forked: False when the worker has loaded the app by itself.
    """

    number: int
    pid: int
    generation: int
    forked: bool


def start_serving(
    application: Application,
    threads: int,
    journal: Journal,
    descriptors: Mapping[str, int],
) -> Server:
    """Take the descriptors, run ``worker_started``, say that we are ready.

    :param descriptors: ``listener`` and ``scoreboard``; both are taken over.
    :raises Exception: whatever a ``worker_started`` function raises.
    """
    with journal.doing("start_worker"):
        listener = socket.socket(fileno=descriptors["listener"])
        # It comes as the controller made it, or as socket.setdefaulttimeout()
        # of the app has it.
        listener.settimeout(None)
        page = map_page(descriptors["scoreboard"])
        half = WsgiHalf(application, multithread=threads > 1)
        server = Server(listener, page, half, threads)
        signals.settle_worker(server.stop, reopen_log)
        os.register_at_fork(after_in_child=server.become_copy)
        for listener_function in lifecycle.listeners("worker_started"):
            listener_function()
    journal.ready(PROTOCOL, threads)
    return server


def serve(server: Server, journal: Journal) -> NoReturn:
    """Serve until told to stop, then leave.  Does not return."""
    is_wanted = not journal.is_abandoned
    journal.close()
    if is_wanted:
        try:
            server.serve()
        except SystemExit:
            # From a signal handler of the app's: its way to say "leave", and
            # atexit is what it wants by that.
            pass
    leave()


def leave_failed() -> NoReturn:
    """The end of a worker that never served: its failure is recorded."""
    os._exit(1)
