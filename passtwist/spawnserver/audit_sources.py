"""Where in the code of the app threads, sockets, files and processes are made.

Runs in: app spawners, while their app is loaded.

An audit hook sees the calls that make them, with the stack of who calls.  A
hook can't be removed and is inherited by the workers; switched off it is one
look into an empty dict for each event, of which a request raises a handful.
"""

from __future__ import annotations

import _thread
import os
import socket
import sys
import threading
import traceback
import weakref
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Tuple

from passtwist.spawnserver.audit_hints import NOTED_MODULES
from passtwist.spawnserver.places import NOWHERE, Place, Places

Arguments = Tuple[Any, ...]

_watching: Dict[str, Callable[[Arguments], None]] = {}
_is_installed = False

TASKS = "/proc/self/task"
# By this name `threading` calls what starts a thread, before Python 3.13.
_STARTER = "_start_new_thread"


class Sources:
    """Remembers, from `start` to `stop`, where things were made.

    :param root: folder of the app.
    """

    def __init__(self, root: str) -> None:
        self._places = Places(root)
        # Weak, so that nothing lives longer for being watched.
        self._objects: List[Tuple[weakref.ReferenceType[object], Place]] = []
        self._files: Dict[str, Place] = {}
        self._modules: Dict[str, Place] = {}
        # What there was before each of them was made.
        self._threads: List[Tuple[FrozenSet[int], Place]] = []
        self._processes: List[Tuple[FrozenSet[int], Place]] = []

    def start(self) -> None:
        """Watch."""
        global _is_installed
        _watching.update(
            {
                "_thread.start_new_thread": self._thread,
                "_thread.start_joinable_thread": self._thread,
                "socket.__new__": self._object,
                "sqlite3.connect": self._database,
                "open": self._open,
                "import": self._import,
                "subprocess.Popen": self._process,
                "os.fork": self._process,
                "os.forkpty": self._process,
                "os.posix_spawn": self._process,
            }
        )
        if not _is_installed:
            sys.addaudithook(_hook)
            _is_installed = True
        if sys.version_info < (3, 12):
            # No audit event tells of threads there.
            setattr(threading, _STARTER, self._start_thread)

    def stop(self) -> None:
        """Watch no more, and forget everything."""
        _watching.clear()
        if getattr(threading, _STARTER, None) == self._start_thread:
            setattr(threading, _STARTER, _thread.start_new_thread)
        for noted in (
            self._objects,
            self._files,
            self._modules,
            self._threads,
            self._processes,
        ):
            noted.clear()

    # --- what is known --------------------------------------------------------

    def of_object(self, thing: object) -> Place:
        """Where a thread or socket was made."""
        for reference, place in self._objects:
            if reference() is thing:
                return place
        return NOWHERE

    def of_socket(self, number: int) -> Place:
        """Where the socket with that descriptor was made."""
        for reference, place in reversed(self._objects):
            thing = reference()
            if isinstance(thing, socket.socket) and thing.fileno() == number:
                return place
        return NOWHERE

    def of_file(self, path: str) -> Place:
        """Where the file was opened, for writing or as a database."""
        for known, place in self._files.items():
            if os.path.realpath(known) == path:
                return place
        return NOWHERE

    def of_module(self, *names: str) -> Place:
        """Where one of NOTED_MODULES was imported."""
        for name in names:
            if name in self._modules:
                return self._modules[name]
        return NOWHERE

    def of_thread(self, number: int) -> Place:
        """Where a thread was made that has no object in Python."""
        return _born(number, self._threads)

    def of_process(self, pid: int) -> Place:
        """Where a child process was started."""
        return _born(pid, self._processes)

    # --- what is noted --------------------------------------------------------

    def _thread(self, arguments: Arguments) -> None:
        place = self._places.here()
        self._note(getattr(arguments[0], "__self__", None), place)
        self._threads.append((numbers(TASKS), place))

    def _start_thread(self, *arguments: Any) -> int:
        self._thread(arguments)
        return _thread.start_new_thread(*arguments)

    def _object(self, arguments: Arguments) -> None:
        self._note(arguments[0], self._places.here())

    def _note(self, thing: object, place: Place) -> None:
        try:
            self._objects.append((weakref.ref(thing), place))
        except TypeError:
            pass  # an object of C code that can't be told from another

    def _database(self, arguments: Arguments) -> None:
        path = os.fsdecode(arguments[0])
        if path.startswith("file:"):
            path = path[len("file:") :].partition("?")[0]
        self._files[os.path.abspath(path)] = self._places.here()

    def _open(self, arguments: Arguments) -> None:
        path, _, flags = arguments
        if flags & os.O_ACCMODE == os.O_RDWR and not isinstance(path, int):
            self._files[os.path.abspath(os.fsdecode(path))] = self._places.here()

    def _import(self, arguments: Arguments) -> None:
        name, path = arguments[:2]
        if path is not None:
            # An extension module: it may start threads that nobody is told of.
            self._threads.append((numbers(TASKS), self._places.here()))
        elif name in NOTED_MODULES and name not in self._modules:
            self._modules[name] = self._places.here()

    def _process(self, arguments: Arguments) -> None:
        self._processes.append((children(), self._places.here()))


def _hook(event: str, arguments: Arguments) -> None:
    note = _watching.get(event)
    if note is not None:
        try:
            note(arguments)
        except Exception:  # noqa: BLE001 - logged
            # Raised here it would be raised in the app, by a call that is in order.
            traceback.print_exc()


def _born(number: int, events: List[Tuple[FrozenSet[int], Place]]) -> Place:
    """The last event before which there was no *number*."""
    found: Optional[Place] = None
    for before, place in events:
        if number not in before:
            found = place
    return found or NOWHERE


def numbers(folder: str) -> FrozenSet[int]:
    """The names of a folder of /proc that are numbers."""
    return frozenset(int(name) for name in os.listdir(folder))


def children() -> FrozenSet[int]:
    """The pids of this process's children, zombies too."""
    found: List[int] = []
    for number in numbers(TASKS):
        try:
            with open("%s/%d/children" % (TASKS, number), encoding="ascii") as file:
                found += map(int, file.read().split())
        except OSError:
            continue  # the thread has ended, or the kernel does not tell
    return frozenset(found)
