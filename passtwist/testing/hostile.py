"""Folders that were made to hurt a server which looks into them.

Runs in: tests.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spoiler = Callable[[Path], None]

T = TypeVar("T")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link_to_outside(path: Path) -> None:
    outside = path.parent.parent / f"outside-{path.name}"
    path.rename(outside)
    path.symlink_to(outside)


def _dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _socket(path: Path) -> None:
    path.unlink()
    here = os.getcwd()
    # A Unix socket's name is shorter than many a test's folder.
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def _unreadable(path: Path) -> None:
    path.chmod(0)


def _no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 1024)


# What may lie where a framework expects a file of its own.  NOT_FILES must be
# nobody's app; with FILES anything goes but an accident.
NOT_FILES: dict[str, Spoiler] = {
    "fifo": _fifo,
    "link to outside": _link_to_outside,
    "dangling link": _dangling_link,
    "link to itself": _link_to_itself,
    "folder": _folder,
    "socket": _socket,
}
FILES: dict[str, Spoiler] = {"unreadable": _unreadable, "no text": _no_text}


def spoil(folder: Path, spoiler: Spoiler) -> list[Path]:
    """Do it to every file beneath *folder*; answers with their paths."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    for path in paths:
        spoiler(path)
    return paths


def unless_it_hangs(function: Callable[[], T], fifos: list[Path], patience: float) -> T:
    """What *function* answers or raises; a FIFO that it opens does not hold it.

    :param fifos: opened for writing if it hangs, so that its thread ends.
    :raises AssertionError: it did not return within *patience* seconds.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience)
    hangs = thread.is_alive()
    while thread.is_alive():
        for path in fifos:
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                continue  # this is not the one that is being opened
        thread.join(0.1)
    assert not hangs, f"it hangs on one of {[path.name for path in fifos]}"
    if errors:
        raise errors[0]
    return results[0]
