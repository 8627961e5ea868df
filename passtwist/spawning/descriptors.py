"""The descriptors that go down with one spawn, and those that stay.

Runs in: the controller.

Every process that may have to be started gets a lifeline, an output pipe and
a pipe for its stacks.  What stays here until the process has said that it took
them: the lifeline's write end (closing it kills the process) and the read ends
of the other two.  Names are those of `passtwist.wire.control`.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passtwist.model import WORKER
from passtwist.wire.scoreboard import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

# Connections from the controller only: as many as the worker has threads, and
# again as many while it replaces lost ones.
BACKLOG = 256


@dataclass
class Kept:
    """Our ends for one process that may be started.

    :ivar lifeline: write end; the kernel kills the process when it closes.
    :ivar output: read end of its stdout and stderr, non-blocking.
    :ivar stacks: read end of what it writes on SIGUSR2, non-blocking.
    """

    lifeline: int
    output: int = -1
    stacks: int = -1

    def close(self) -> None:
        """Let go of all; kills the process if it took them."""
        for name in ("lifeline", "output", "stacks"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                os.close(descriptor)
                setattr(self, name, -1)


@dataclass
class SpawnDescriptors:
    """Everything for one spawn; close what is still held with `close`."""

    handshake: socket.socket
    scoreboard: memoryview
    socket_path: str
    kept: dict[str, Kept]
    sent: dict[str, int] = field(default_factory=dict)

    def close_sent(self) -> None:
        """Close our copies of what went down (or never will)."""
        for descriptor in self.sent.values():
            os.close(descriptor)
        self.sent.clear()

    def close(self) -> None:
        """Close everything, which ends every process that took part."""
        self.close_sent()
        self.handshake.close()
        for kept in self.kept.values():
            kept.close()
        self.kept.clear()
        try:
            os.unlink(self.socket_path)
        except FileNotFoundError:
            pass


def duplicate(descriptors: Mapping[str, int]) -> dict[str, int]:
    """Copies of *descriptors*, under the same names.

    :raises OSError: out of descriptors; none is left open.
    """
    copies: dict[str, int] = {}
    try:
        for name, descriptor in descriptors.items():
            copies[name] = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        for copy in copies.values():
            os.close(copy)
        raise
    return copies


def make(socket_path: str, layers: tuple[str, ...], uid: int = -1) -> SpawnDescriptors:
    """Descriptors for a worker and for each of *layers*.

    :param socket_path: where the worker's listening socket is bound.
    :param uid: who they are for, -1 for us.
    :raises OSError: out of descriptors, memory or disk; nothing is left open.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    result = SpawnDescriptors(ours, memoryview(b""), socket_path, {})
    result.sent["handshake"] = theirs.detach()
    try:
        result.sent["listener"] = _listener(socket_path)
        page = os.memfd_create("passtwist-scoreboard", os.MFD_CLOEXEC)
        result.sent["scoreboard"] = page
        os.ftruncate(page, PAGE_SIZE)
        result.scoreboard = memoryview(mmap.mmap(page, PAGE_SIZE)).cast("Q")
        for layer in (*layers, WORKER):
            prefix = "" if layer == WORKER else layer + "."
            lifeline_read, lifeline_write = os.pipe2(os.O_CLOEXEC)
            result.sent[prefix + "lifeline"] = lifeline_read
            result.kept[layer] = Kept(lifeline_write)
            for name in ("output", "stacks"):
                read, write = os.pipe2(os.O_CLOEXEC)
                result.sent[prefix + name] = write
                setattr(result.kept[layer], name, read)
                os.set_blocking(read, False)
            if uid > 0:
                # Who opens /dev/stdout opens the pipe anew, with its own rights.
                os.fchown(result.sent[prefix + "output"], uid, -1)
    except OSError:
        result.close()
        raise
    return result


def _listener(path: str) -> int:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener.detach()
