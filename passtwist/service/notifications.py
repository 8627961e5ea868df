"""What systemd is told: ready, reloading, stopping, and that we are alive.

Runs in: the controller.

The protocol of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names.
Without one, nothing happens.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor

_MICROSECONDS = 1_000_000


class Notifications:
    """Speaks to the service manager, if one has started us.

    :param environ: of this process.  What is found there is taken out: it is not
        meant for processes below us.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, reactor: Reactor, environ: MutableMapping[str, str]) -> None:
        self._reactor = reactor
        self._environ = environ
        self._address = ""
        self._pause = 0.0
        self._next_sign: IDelayedCall | None = None
        self._is_heard = True

    def ready(self) -> None:
        """It serves, again or for the first time."""
        if self._next_sign is None:
            self._learn()
        self._send("READY=1")
        if self._pause and self._next_sign is None:
            self._give_sign_of_life()

    def reloading(self) -> None:
        """It reads its settings; `ready` says when it has."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """It finishes what it has."""
        self._send("STOPPING=1")

    def stop(self) -> None:
        """Give no more signs of life."""
        if self._next_sign is not None:
            self._next_sign.cancel()
            self._next_sign = None

    def _learn(self) -> None:
        address = self._environ.pop("NOTIFY_SOCKET", "")
        pause = self._environ.pop("WATCHDOG_USEC", "")
        pid = self._environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        if address:
            self._address = address
        if pause.isdigit() and pid == str(os.getpid()):
            # Half of it, as sd_watchdog_enabled(3) recommends.
            self._pause = int(pause) / _MICROSECONDS / 2

    def _give_sign_of_life(self) -> None:
        self._send("WATCHDOG=1")
        self._next_sign = self._reactor.callLater(self._pause, self._give_sign_of_life)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address: Any = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto("\n".join(lines).encode("ascii"), address)
            except OSError as error:
                if self._is_heard:
                    self.log.warn("systemd can't be told: {error}", error=error)
                self._is_heard = False
            else:
                self._is_heard = True
