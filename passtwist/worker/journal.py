"""Write the journey records of one spawn.

Runs in: every process that a spawn goes through.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from typing import Iterator, Tuple

from passtwist.model import Finding
from passtwist.wire.journey import (
    BEGUN,
    DONE,
    FAILED,
    FailedRecord,
    FindingRecord,
    ReadyRecord,
    Record,
    StartedRecord,
    encode_record,
    encode_step,
)

# Numbers: to combine two of `socket`'s own makes a new member of an enumeration.
_NO_SIGNAL, _NEVER_WAIT = int(socket.MSG_NOSIGNAL), int(socket.MSG_DONTWAIT)


class Journal:
    """One process's pen for one spawn's handshake socket.

    :param who: the layer that this process is.
    :param descriptor: SOCK_SEQPACKET socket; closed with the journal.
    :ivar step: the step under way, or the last that failed.
    :ivar is_abandoned: the controller does not listen any more, so it does
        not want the worker either.
    """

    def __init__(self, who: str, descriptor: int) -> None:
        self.who = who
        self.step = ""
        self.is_abandoned = False
        self._socket = socket.socket(fileno=descriptor)

    @contextmanager
    def doing(self, step: str) -> Iterator[None]:
        """Record that *step* begins, and how it ends."""
        self.begin(step)
        try:
            yield
        except BaseException:
            self._write_step(step, FAILED)
            raise
        self.end(step)

    def begin(self, step: str) -> None:
        """Record that *step* begins."""
        self.step = step
        self._write_step(step, BEGUN)

    def end(self, step: str) -> None:
        """Record that *step* is done."""
        self._write_step(step, DONE)

    def started(self) -> None:
        """This process was started for this spawn and took its descriptors."""
        self._write_result(StartedRecord(self.who, os.getpid()))

    def ready(
        self, protocol: str, concurrency: int, upgrades: Tuple[str, ...] = ()
    ) -> None:
        """This process is a worker that can accept."""
        record = ReadyRecord(os.getpid(), protocol, concurrency, upgrades)
        self._write_result(record)

    def found(self, finding: Finding) -> None:
        """The fork-safety audit has found something."""
        self._write_result(FindingRecord(self.who, os.getpid(), **vars(finding)))

    def fail(self, record: FailedRecord) -> None:
        """The spawn has failed."""
        self._write_result(record)

    def detach(self) -> int:
        """Give the descriptor back; the journal is finished."""
        return self._socket.detach()

    def close(self) -> None:
        """Close the descriptor.  Harmless when it is closed or detached."""
        self._socket.close()

    def _write_step(self, step: str, state: str) -> None:
        packet = encode_step(self.who, os.getpid(), step, state, time.monotonic())
        # A step is worth less than the process that makes it: never wait.
        self._write(packet, _NEVER_WAIT)

    def _write_result(self, record: Record) -> None:
        self._write(encode_record(record), 0)

    def _write(self, packet: bytes, flags: int) -> None:
        if self._socket.fileno() < 0:
            return  # detached: somebody else writes from here on
        try:
            # The app may have called socket.setdefaulttimeout().
            self._socket.settimeout(None)
            self._socket.send(packet, flags | _NO_SIGNAL)
        except BlockingIOError:
            pass
        except OSError:
            self.is_abandoned = True
