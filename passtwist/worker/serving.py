"""The accept loops of a worker.

Runs in: workers.  Blocking and plain: one loop for each connection that the
worker may have, each in a thread of its own; with one, in the main thread.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
import traceback
from typing import Dict, Protocol

from passtwist.errors import WireError
from passtwist.wire.scoreboard import (
    IDLE,
    NUMBER,
    REQUESTS,
    RUNNING,
    STARTED_NS,
    STATE,
    slot_base,
)
from passtwist.wire.session import encode_ready
from passtwist.worker.answers import print_error
from passtwist.worker.arrivals import Arrivals
from passtwist.worker.leaving import leave_copy
from passtwist.worker.requests import Request

# accept() out of descriptors: the app holds them; look again after this.
PAUSE = 0.1  # seconds

# So much of a response fits between us and the controller; the system's default is
# half of it, and then a large one takes twice as many turns of two processes.  The
# system may allow less.
SEND_BUFFER = 512 * 1024

# sysexits.h: an internal software error.
EXIT_BROKEN = 70


class Answers(Protocol):
    """What serves a request: the WSGI half."""

    def answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer; False when the connection can't be used any more."""


class Server:
    """Serves the connections of one listener.

    :param listener: the worker's own; shut down by `stop`.
    :param page: the scoreboard's words.
    :param threads: connections at a time.
    """

    def __init__(
        self, listener: socket.socket, page: memoryview, half: Answers, threads: int
    ) -> None:
        self._listener = listener
        self._page = page
        self._half = half
        self._threads = threads
        self._connections: Dict[int, socket.socket] = {}
        self._arrivals: Dict[int, Arrivals] = {}
        self._is_stopping = False
        self._is_copy = False

    def serve(self) -> None:
        """Serve until `stop` was called and every request is answered."""
        if self._threads == 1:
            self._serve_slot(0)
            return
        threads = [
            threading.Thread(
                target=self._serve_slot_or_die,
                args=(slot,),
                name="passtwist-%d" % slot,
                daemon=True,
            )
            for slot in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        # Signal handlers run in the main thread, also while it waits here.
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Begin no more requests; finish those that were begun.

        Called from a signal handler.  A connection that waits for a request
        sees its end; one that is being answered is not touched by closing its
        reading half.
        """
        self._is_stopping = True
        _shut(self._listener, socket.SHUT_RDWR)
        for connection in tuple(self._connections.values()):
            _shut(connection, socket.SHUT_RD)

    def become_copy(self) -> None:
        """This process was forked by the app: it is no worker.

        Its sockets are the worker's, which goes on answering: what a copy sent
        would be taken for the answer to somebody else's request, and what it
        read would be answered twice.
        """
        self._is_copy = self._is_stopping = True
        self._listener.close()
        for connection in self._connections.values():
            connection.close()
        for arrivals in self._arrivals.values():
            arrivals.close()

    def _serve_slot_or_die(self, slot: int) -> None:
        try:
            self._serve_slot(slot)
        except BaseException:  # noqa: BLE001 - logged
            # A worker that lost a thread would still be taken for one that
            # serves as many connections as it has announced.
            print_error("passtwist: worker gives up: " + traceback.format_exc())
            os._exit(EXIT_BROKEN)

    def _serve_slot(self, slot: int) -> None:
        while not self._is_stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EBADF):
                    return  # shut down by `stop`, or closed by the app
                time.sleep(PAUSE)
                continue
            with connection:
                # The app may have called socket.setdefaulttimeout().
                connection.settimeout(None)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
                self._connections[slot] = connection
                if not self._is_stopping:
                    self.serve_connection(slot, connection)
                del self._connections[slot]

    def serve_connection(self, slot: int, connection: socket.socket) -> None:
        """Say READY, then answer requests until the connection ends."""
        page = self._page
        base = slot_base(slot)
        number_at, state_at = base + NUMBER, base + STATE
        started_at, requests_at = base + STARTED_NS, base + REQUESTS
        answer = self._half.answer
        clock = time.monotonic_ns
        self._arrivals[slot] = arrivals = Arrivals(connection)
        read = arrivals.next
        try:
            page[state_at] = IDLE
            connection.sendall(encode_ready(slot))
            request = read()
            while request is not None:
                # In this order: who sees RUNNING sees whose and since when.
                page[started_at] = clock()
                page[number_at] = request[0]
                page[state_at] = RUNNING
                is_usable = answer(connection, request)
                if self._is_copy:
                    leave_copy()
                page[requests_at] += 1
                page[state_at] = IDLE
                request = read() if is_usable else None
        except OSError:
            pass  # the controller closed the connection
        except WireError as error:
            print_error("passtwist: connection closed: %s\n" % error)
        finally:
            arrivals.close()


def _shut(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        pass  # closed or never connected: what was wanted
