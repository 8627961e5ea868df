"""Between our standard streams and whoever may not read them.

Runs in: the controller, and a thread of it.

Twisted's log writes to standard output and waits until that has taken it.  Where it
is a pipe, a terminal or a socket, whoever is at its other end could stop the
server by not reading.  So each such stream becomes a pipe to a thread of ours that
always reads: what can't be passed on at once is kept for a while, then dropped
and counted.  A thread, because the reactor can't read while it waits to write.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import threading
from typing import TYPE_CHECKING

from passtwist.api.log_target import KEPT, LogTarget

if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT, STDERR = 1, 2
_NAMES = {STDOUT: "standard output", STDERR: "standard error"}
_READ_SIZE = 64 * 1024
# At the end of the process, for who is slow but reads.
_LAST_WORDS = 1.0  # seconds


class StreamRelay:
    """Keeps standard output and standard error from ever blocking.

    :param tell: of trouble with a stream, in a sentence; called in the thread.
    :param streams: their descriptors.
    """

    def __init__(
        self, tell: Callable[[str], None], streams: tuple[int, ...] = (STDOUT, STDERR)
    ) -> None:
        self._tell = tell
        self._streams = streams
        self._lanes: list[_Lane] = []
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Lines lost because nobody took them."""
        return sum(lane.target.dropped for lane in self._lanes)

    def start(self) -> None:
        """Put the thread in between, where that is needed.

        :raises OSError: there are no descriptors for it.
        """
        for stream in self._streams:
            if may_block(stream):
                self._lanes.append(_Lane(stream, self._tell))
        if self._lanes:
            self._thread = threading.Thread(
                target=self._run, name="passtwist-log", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Write directly again, once what there is was taken, or nobody takes it.

        To be called when the process is about to end: it waits a second at most.
        """
        for lane in self._lanes:
            lane.restore()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)
            self._thread = None

    def _run(self) -> None:
        poll = select.poll()
        open_lanes = {lane.source: lane for lane in self._lanes}
        for source in open_lanes:
            poll.register(source, select.POLLIN)
        while open_lanes:
            waiting = [one for one in self._lanes if one.target.waiting]
            for lane in waiting:
                poll.register(lane.target, select.POLLOUT)
            ready = poll.poll()
            for lane in waiting:
                poll.unregister(lane.target)
                lane.flush()
            for descriptor, _ in ready:
                if descriptor in open_lanes and not open_lanes[descriptor].read():
                    poll.unregister(descriptor)
                    del open_lanes[descriptor]
        for lane in self._lanes:
            lane.finish()


class _Lane:
    """One stream.

    :ivar source: read end of the pipe that the stream has become.
    :ivar target: what the stream was.
    """

    def __init__(self, stream: int, tell: Callable[[str], None]) -> None:
        name = _NAMES.get(stream, f"descriptor {stream}")
        self._stream = stream
        self._original = fcntl.fcntl(stream, fcntl.F_DUPFD_CLOEXEC, 3)
        self.target = LogTarget.on(self._original, lambda text: tell(f"{name} {text}"))
        self.source, sink = os.pipe2(os.O_CLOEXEC)
        try:
            # Fewer turns for the thread; what its user may not have, it does without.
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, KEPT)
        except OSError:
            pass
        os.dup2(sink, stream)
        os.close(sink)

    def read(self) -> bool:
        """Take what was written; False at its end."""
        data = os.read(self.source, _READ_SIZE)
        if not data:
            os.close(self.source)
            return False
        self.target.write(data)
        self._give_up_if_broken()
        return True

    def flush(self) -> None:
        """The target may take more."""
        self.target.flush()
        self._give_up_if_broken()

    def finish(self) -> None:
        """Pass on what is left, if it is taken."""
        poll = select.poll()
        poll.register(self.target, select.POLLOUT)
        while self.target.waiting and poll.poll(_LAST_WORDS * 1000):
            self.flush()

    def restore(self) -> None:
        """Let the stream be what it was; the pipe comes to its end by that."""
        os.dup2(self._original, self._stream)

    def _give_up_if_broken(self) -> None:
        # A pipe without a reader is always ready, and never takes anything.
        if self.target.is_broken:
            self.target.drop()


def may_block(stream: int) -> bool:
    """Is it something that can keep us waiting?"""
    try:
        found = os.fstat(stream)
    except OSError:
        return False  # closed
    return not stat.S_ISREG(found.st_mode) and not _is_null(found)


def _is_null(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)
