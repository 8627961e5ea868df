"""A worker whose framework brings a server of its own, which speaks HTTP/1.1.

Runs in: workers of frameworks whose child half has a function ``serve``.
"""

from __future__ import annotations

import os
import socket
import traceback
from typing import Callable, Iterable, List, Mapping, NoReturn, Tuple

from passtwist import lifecycle
from passtwist.wire.journey import HTTP, MAX_HTTP_CONCURRENCY, is_http
from passtwist.worker import signals
from passtwist.worker.answers import print_error
from passtwist.worker.journal import Journal
from passtwist.worker.leaving import leave, leave_copy
from passtwist.worker.serving import EXIT_BROKEN


class OwnServer:
    """What ``serve`` works with.

    :ivar listener: the worker's socket; listens, and blocks until told not to.
        The controller alone connects to it.
    :ivar threads: the app's setting: requests that a worker answers at a time.
    """

    def __init__(self, listener: socket.socket, threads: int, journal: Journal) -> None:
        self.listener = listener
        self.threads = threads
        self._journal = journal
        self._is_ready = self._is_stopping = False
        self._on_stop: List[Callable[[], object]] = []

    @property
    def is_ready(self) -> bool:
        """`ready` was called."""
        return self._is_ready

    @property
    def is_stopping(self) -> bool:
        """The worker was told to leave."""
        return self._is_stopping

    def ready(self, concurrency: int = 0, upgrades: Iterable[str] = ()) -> None:
        """Say that requests are answered from now on.

        Runs the app's ``worker_started`` first.

        :param concurrency: connections that are served at a time; the setting
            ``threads`` when 0.
        :param upgrades: protocols that a connection may go over to, such as
            ``websocket``.
        :raises RuntimeError: it was said before.
        :raises ValueError: an argument makes no sense.
        """
        if self._is_ready:
            raise RuntimeError("ready() was called a second time")
        concurrency = concurrency or self.threads
        if not 1 <= concurrency <= MAX_HTTP_CONCURRENCY:
            raise ValueError(
                "a concurrency of %d; it is from 1 to %d"
                % (concurrency, MAX_HTTP_CONCURRENCY)
            )
        if isinstance(upgrades, str):
            raise ValueError("upgrades is %r; it is a list of names" % upgrades)
        names = tuple(name.lower() for name in upgrades)
        for name in names:
            if is_http(name):
                raise ValueError(
                    "no upgrade to %r: requests would come that no one has checked"
                    % name
                )
        for listener in lifecycle.listeners("worker_started"):
            listener()
        self._journal.end("start_worker")
        self._is_ready = True
        self._journal.ready(HTTP, concurrency, names)
        self._journal.close()

    def on_stop(self, function: Callable[[], object]) -> None:
        """Call *function* when the worker is told to leave.

        In the main thread, between two instructions of whatever runs there: let
        it tell an event loop, and wait for nothing.  It is called at once when
        that has happened already.  Where nothing is to be called, the listener is
        shut down, and `accept` raises.
        """
        self._on_stop.append(function)
        if self._is_stopping:
            function()

    def stop(self) -> None:
        """The worker is told to leave; from a signal handler."""
        if self._is_stopping:
            return
        self._is_stopping = True
        if not self._on_stop:
            # Who waits in accept() there sees its end.  Whoever wants to be told
            # has an event loop, which would take that for an error.
            _shut_down(self.listener)
        for function in self._on_stop:
            try:
                function()
            except Exception:  # noqa: BLE001 - logged; the worker has to leave
                print_error("passtwist: on_stop: " + traceback.format_exc())


def run_own_server(
    serve: Callable[[OwnServer], object],
    threads: int,
    journal: Journal,
    descriptors: Mapping[str, int],
) -> NoReturn:
    """Let *serve* serve until it returns, then leave.  Does not return.

    :param descriptors: ``listener`` and ``scoreboard``; both are taken over.
    :raises BaseException: what *serve* raises before it is ready, and RuntimeError
        when it returns before that.
    """
    pid = os.getpid()
    journal.begin("start_worker")
    # There is a slot for each of a worker's connections, and who knows these?
    os.close(descriptors["scoreboard"])
    listener = socket.socket(fileno=descriptors["listener"])
    # As it is, or as socket.setdefaulttimeout() of the app has it.
    listener.settimeout(None)
    server = OwnServer(listener, threads, journal)
    signals.settle_worker(server.stop)
    # A connect to a worker that is dead must not succeed for a copy's sake.
    os.register_at_fork(after_in_child=listener.close)
    status = 0
    try:
        serve(server)
    except BaseException as error:
        if os.getpid() != pid:
            leave_copy(error)
        if not server.is_ready:
            raise
        status = _status_of(error, server)
    if os.getpid() != pid:
        leave_copy()
    if not server.is_ready:
        raise RuntimeError("serve() has returned and never called ready()")
    leave(status)


def _status_of(error: BaseException, server: OwnServer) -> int:
    """The exit status of a worker whose server has raised *error*."""
    if isinstance(error, SystemExit) and server.is_stopping:
        return 0  # its way to say that it leaves
    trace: Tuple[str, ...] = tuple(
        traceback.format_exception(type(error), error, error.__traceback__)
    )
    print_error("passtwist: the app's server has failed: " + "".join(trace))
    return EXIT_BROKEN


def _shut_down(listener: socket.socket) -> None:
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed by the server, which is what was wanted
