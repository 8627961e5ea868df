"""Listening on Unix sockets, whose names are files that others can see and touch.

Runs in: the controller.

Twisted's own port would give the file its mode only after it was made, to whatever
stands there by then, and would do that, and remove the file at the end, even when
the socket is systemd's.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.defer import execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.lockfile import FilesystemLock
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory
    from twisted.python.failure import Failure

_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
)
_TAKEN = "Address already in use"

# Field 22 of /proc/PID/stat, counted from behind the name in parentheses.
_BEGUN = 19
_DOUBT = 2.0  # seconds by which the clocks of file system and process may differ

# Linux has 108 bytes for the name with its final NUL.
LONGEST_PATH = 107


class SocketFile:
    """The file of a socket: who may connect, and whose it is.

    :param mode: of the file; who may write to it may connect.
    :param uid: its owner; -1 for who we are.
    :param gid: its group; -1 for ours.
    :param locks: make ``PATH.lock``, as Twisted does, so that of two servers
        that start at the same moment one gives way.
    """

    def __init__(
        self, path: str, mode: int, uid: int = -1, gid: int = -1, locks: bool = True
    ) -> None:
        self.path = path
        self._mode = mode
        self._owner = (uid, gid)
        self._lock = FilesystemLock(f"{path}.lock") if locks else None
        self._made: tuple[int, int] | None = None

    def bind(self) -> socket.socket:
        """A socket that is bound to it.

        A socket that nobody listens on any more is replaced; anything else in
        its place is left alone.

        :raises OSError: it can't be had.
        """
        self._take_lock()
        try:
            self._clear()
            return self._bound()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Remove it, if it is still ours.

        :raises OSError: it can't be removed.
        """
        made, self._made = self._made, None
        try:
            if made is not None and made == self._identity():
                os.unlink(self.path)
        except FileNotFoundError:
            pass  # somebody has done it for us
        finally:
            if self._lock is not None and self._lock.locked:
                self._lock.unlock()

    def _take_lock(self) -> None:
        lock = self._lock
        if lock is None or self._lock_it(lock):
            return
        if _is_left_over(lock.name):
            os.unlink(lock.name)
            if self._lock_it(lock):
                return
        raise OSError(
            errno.EADDRINUSE, f"{_TAKEN}: another server has locked it", self.path
        )

    def _lock_it(self, lock: FilesystemLock) -> bool:
        try:
            return bool(lock.lock())
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in (None, errno.EINVAL):
                raise OSError(
                    errno.EEXIST, "is no lock of a server; remove it", lock.name
                ) from None
            if isinstance(error, OSError) and number != errno.EPERM:
                self._blame(error)
                raise
            # It names a process of another user.
            return False

    def _clear(self) -> None:
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            what = next((text for is_it, text in _KINDS if is_it(mode)), "no socket")
            raise OSError(
                errno.EEXIST,
                f"there is {what} in its place, which was not removed; remove it, or "
                "take another path",
                self.path,
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                os.unlink(self.path)
                return
            except BlockingIOError:
                pass  # somebody listens, and is busy
        raise OSError(errno.EADDRINUSE, _TAKEN, self.path)

    def _bound(self) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # So that it is never more open than it is to be, not for a moment.
        umask = os.umask(0o777 & ~self._mode)
        try:
            bound.setblocking(False)
            bound.bind(self.path)
            self._made = self._identity()
            if self._owner != (-1, -1):
                os.chown(self.path, *self._owner, follow_symlinks=False)
        except OSError as error:
            bound.close()
            self._blame(error)
            raise
        finally:
            os.umask(umask)
        return bound

    def _blame(self, error: OSError) -> None:
        """Have *error* name the place that it is about."""
        in_folder = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EROFS)
        is_folder = error.errno in in_folder
        error.filename = os.path.dirname(self.path) if is_folder else self.path
        error.filename2 = None

    def _identity(self) -> tuple[int, int]:
        found = os.lstat(self.path)
        return found.st_dev, found.st_ino


def _is_left_over(lock: str) -> bool:
    """Whether the process that *lock* names has begun after it was made.

    Then it is another one, which got the number after a crash, or a reboot.  Where
    clocks are set a live server's lock may look like that; nothing is lost, since
    who listens is not taken the place of.
    """
    try:
        made = os.lstat(lock).st_mtime
        with open(f"/proc/{os.readlink(lock)}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    begun = booted + int(fields[_BEGUN]) / os.sysconf("SC_CLK_TCK")
    return begun > made + _DOUBT


class UnixPort(unix.Port):
    """Accepts on a bound socket.

    :param release: is called when it accepts no more; None for a socket that
        somebody else goes on listening on.
    """

    def __init__(
        self,
        bound: socket.socket,
        factory: IProtocolFactory,
        backlog: int,
        reactor: Any,
        release: Callable[[], None] | None,
    ) -> None:
        super().__init__(bound.getsockname(), factory, backlog, reactor=reactor)
        self._bound = bound
        self._makes_protocols = factory
        self._release = release
        self._shouldShutdown = release is not None

    def startListening(self) -> None:
        # Without it, a process that has no descriptor left could not even refuse.
        tcp._reservedFD.reserve()
        self._makes_protocols.doStart()
        if self._release is not None:
            self._bound.listen(self.backlog)
        bound = self.socket = self._bound
        self.fileno = bound.fileno  # type: ignore[method-assign]  # as its own do
        self.connected = True
        self.numberAccepts = 100
        self.startReading()  # type: ignore[no-untyped-call]  # Twisted has no types

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)
        if self._release is not None:
            self._release()


@implementer(IStreamServerEndpoint)
class UnixEndpoint:
    """Listens on a file.

    :param backlog: how many clients may wait to be accepted.
    """

    def __init__(self, reactor: Any, file: SocketFile, backlog: int) -> None:
        self._reactor = reactor
        self._file = file
        self._backlog = backlog

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint.listen`; the failure is a CannotListenError."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        file = self._file
        try:
            bound = file.bind()
        except OSError as error:
            raise CannotListenError(None, file.path, error) from error
        port = UnixPort(bound, factory, self._backlog, self._reactor, file.leave)
        port.startListening()
        return port
