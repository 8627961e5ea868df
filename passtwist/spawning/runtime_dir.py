"""RUNTIME_DIR: made, locked and swept at start, emptied at stop.

Runs in: the controller.

Layout: ``lock`` (flock, held while we run), ``pid``, ``code/`` (what the
processes below run, world-readable), ``sockets/`` (0700, one socket a worker),
``admin.sock``.  What a killed predecessor left is removed at the next start;
the lock tells a leftover from a running server.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable

# Linux limits sun_path to 108 bytes with the final NUL.  The longest name
# below the folder is "sockets/w" and a worker's number; ten digits of it last
# for thirty years at ten spawns a second.
SUN_PATH = 108
LONGEST_NAME = len("/sockets/w") + 10


class RuntimeDir:
    """One server's runtime directory.

    :param path: absolute; made if missing (0711, so that the app's users can
        reach ``code/`` but list nothing).
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.code = self.path / "code"
        self.sockets = self.path / "sockets"
        self._admin_socket = self.path / "admin.sock"
        self._lock: int | None = None
        # Called when the folder had to be made anew.
        self.when_made_anew: list[Callable[[], None]] = []

    def hand_over(self, uid: int, gid: int) -> None:
        """Make it, as root, for the user that root will be left for.

        A folder that is there already changes hands only when it is empty: who
        owns the folder of a running server owns the code that its root runs.

        :raises StartupError: it can't be made.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            folder = os.open(self.path, flags)
            try:
                if os.fstat(folder).st_uid == 0 and not os.listdir(folder):
                    os.fchown(folder, uid, gid)
            finally:
                os.close(folder)
        except OSError as error:
            raise StartupError(
                f"runtime_dir {self.path}: {error.strerror or error}; set "
                "runtime_dir to another folder"
            ) from error

    def acquire(self) -> None:
        """Make, lock and sweep it.

        :raises StartupError: too long for a socket's name, not ours, not
            writable, or another server runs in it.
        """
        if len(os.fsencode(self.path)) + LONGEST_NAME >= SUN_PATH:
            raise StartupError(
                f"runtime_dir {self.path} is too long: a Unix socket's name has at "
                f"most {SUN_PATH - 1} bytes and ours add {LONGEST_NAME}; "
                "choose a shorter one"
            )
        try:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._refuse_foreign()
            self._refuse_others_folders()
            self.path.chmod(0o711)
            self._take_lock()
            self._sweep()
            self._fill()
        except OSError as error:
            self.release()
            raise StartupError(
                f"runtime_dir {self.path}: {error.strerror or error}; set "
                "runtime_dir to a folder that this user may write"
            ) from error

    def restore(self) -> list[str]:
        """Make anew what somebody has removed while we run, but for ``code/``.

        :returns: what was missing.
        :raises OSError: it can't be made.
        :raises StartupError: another server runs there by now.
        """
        missing = []
        if not self._has_our_lock():
            missing.append(str(self.path))
            self._make_anew()
        elif not self.sockets.is_dir():
            missing.append(str(self.sockets))
            self._fill()
        return missing

    def _make_anew(self) -> None:
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._refuse_foreign()
        self._refuse_others_folders()
        self.path.chmod(0o711)
        old = self._lock
        try:
            self._take_lock()
        except BaseException:
            self._lock = old
            raise
        if old is not None:
            os.close(old)
        self._sweep()
        self._fill()
        for call in self.when_made_anew:
            call()

    def _has_our_lock(self) -> bool:
        """Whether the folder is still the one that we have locked."""
        if self._lock is None:
            return False
        ours = os.fstat(self._lock)
        try:
            found = os.stat(self.path / "lock", follow_symlinks=False)
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (found.st_dev, found.st_ino)

    def release(self) -> None:
        """Empty and unlock it.  Harmless when it was never acquired."""
        if self._lock is None:
            return
        try:
            if not self._has_our_lock():
                raise FileNotFoundError  # another server's may have its name
            self._sweep()
            for name in ("pid", "lock"):
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
        except OSError:
            # Somebody else's file in it, or it is gone: not ours to judge.
            pass
        os.close(self._lock)
        self._lock = None

    @property
    def admin_path(self) -> str:
        """Where the admin socket goes."""
        return str(self._admin_socket)

    def socket_path(self, worker: int) -> str:
        """Where the listening socket of a worker is bound."""
        return str(self.sockets / f"w{worker}")

    def _refuse_foreign(self) -> None:
        info = self.path.lstat()
        if not stat.S_ISDIR(info.st_mode):
            raise StartupError(f"runtime_dir {self.path} is not a folder")
        if info.st_uid != os.geteuid():
            raise StartupError(
                f"runtime_dir {self.path} belongs to user {info.st_uid}, not to "
                f"us ({os.geteuid()}); remove it or set another runtime_dir"
            )

    def _refuse_others_folders(self) -> None:
        """Root runs the code in it, so nobody else may put another in its place."""
        if os.geteuid() != 0:
            return
        for folder in self.path.resolve().parents:
            info = folder.stat()
            shared = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
            if info.st_uid != 0 or shared:
                whose = f"user {info.st_uid}" if info.st_uid else "others"
                raise StartupError(
                    f"runtime_dir {self.path} lies in {folder}, where {whose} may put "
                    "another in its place; set runtime_dir to a folder in which only "
                    "root may write, as /run/passtwist"
                )

    def _fill(self) -> None:
        self.sockets.mkdir(mode=0o700)
        # mkdir's mode is cut by the umask, which a daemon has at 077; the
        # reverse could not happen, but what must hold is said outright.
        self.sockets.chmod(0o700)
        (self.path / "pid").write_text(f"{os.getpid()}\n")

    def _take_lock(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path / "lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StartupError(
                f"another passtwist{self._running_pid()} uses runtime_dir "
                f"{self.path}; stop it or set another runtime_dir"
            ) from None
        self._lock = descriptor

    def _running_pid(self) -> str:
        try:
            return f" (pid {int((self.path / 'pid').read_text())})"
        except (OSError, ValueError):
            return ""

    def _sweep(self) -> None:
        for folder in (self.code, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)
        self._admin_socket.unlink(missing_ok=True)
