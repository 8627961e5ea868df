"""A server under test: how it is started, what it can do, what it is called."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.servers.running import Running
    from benchmarks.sites import Site

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent.parent

# Where a distribution has its programs says nothing to a reader.
SYSTEM_PROGRAM = re.compile(r"^/(usr/)?s?bin/(?=[^/]+$)")


class HasNone(Exception):
    """The server has no such thing; the text says what it lacks."""


class NotYet(Exception):
    """passtwist has no such thing yet; the text says what."""


@dataclass(frozen=True)
class Setup:
    """What a server is started with.

    :ivar folder: an empty one of its own: configuration, sockets, logs.
    :ivar worker_count: processes.
    :ivar socket: a Unix socket to listen on, and not the port, because a proxy
        is in front of it. Servers that say `needs_proxy` can do that.
    """

    site: Site
    folder: Path
    port: int
    worker_count: int
    socket: Path | None = None


class Server(ABC):
    """One kind of server with one set of options.

    :ivar name: as tables have it: "gunicorn gthread".
    :ivar family: servers that differ in options only share it.
    :ivar threads: requests that one worker answers at a time.
    :ivar one_process: it has no worker processes; it is given as many threads
        as the others have workers, and tables say so.
    :ivar needs_proxy: its documentation wants a buffering proxy in front of it
        when clients can be slow.
    :ivar remark: what a reader of the table must know; a sentence or nothing.
    """

    name: str
    family: str
    threads: int = 1
    one_process: bool = False
    needs_proxy: bool = False
    remark: str = ""

    @abstractmethod
    def missing(self) -> str:
        """Why it can't be started here, with the remedy; empty: it can."""

    @abstractmethod
    def version(self) -> str:
        """As it says itself, without its name."""

    @abstractmethod
    def command(self, setup: Setup) -> list[str]:
        """The command that keeps running as long as the server does."""

    def files(self, setup: Setup) -> dict[str, str]:
        """What it needs in its folder: text by name."""
        return {}

    def environment(self, setup: Setup) -> dict[str, str]:
        """What it needs beside our own environment."""
        return {}

    def url(self, setup: Setup) -> str:
        """Where the site's root is; no slash at the end."""
        return f"http://127.0.0.1:{setup.port}"

    @property
    def stop_signal(self) -> int:
        """What ends it in good order."""
        return signal.SIGTERM

    def restart(self, running: Running) -> None:
        """Have new code loaded while requests come, as its documentation says.

        Returns as soon as the order was given.

        :raises HasNone: it has no such thing.
        :raises NotYet: ours has not.
        """
        raise HasNone("no restart without a gap")


def from_pypi(name: str) -> str:
    """The path of a command that pip has put beside our interpreter; else empty.

    One of the same name on PATH may be another version, of another interpreter.
    """
    beside = BIN / name
    return str(beside) if os.access(beside, os.X_OK) else ""


def program(name: str) -> str:
    """The path of a command: beside our interpreter, else of the system; else empty."""
    beside = BIN / name
    if os.access(beside, os.X_OK):
        return str(beside)
    # Debian keeps /usr/sbin from the PATH of who is not root.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or ""


def as_shown(server: Server, setup: Setup) -> str:
    """The server's command line for a reader elsewhere, without our own paths.

    The files that it is given follow, each after a line with its name.
    """
    words = [for_a_reader(word, setup) for word in server.command(setup)]
    lines = [shlex.join(SYSTEM_PROGRAM.sub("", word) for word in words)]
    for name, text in server.files(setup).items():
        lines += [f"# SCRATCH/{name}:", for_a_reader(text.rstrip(), setup)]
    return "\n".join(lines)


def for_a_reader(text: str, setup: Setup) -> str:
    """Without our own paths and port."""
    text = text.replace(str(setup.site.folder), "SITE")
    text = text.replace(str(setup.folder), "SCRATCH")
    text = text.replace(f"{BIN}/", "").replace(f"{ROOT}/", "")
    return re.sub(rf"\b{setup.port}\b", "PORT", text)
