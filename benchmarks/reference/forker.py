"""The process of `bare_fork.py`, and how to ask it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from benchmarks.sites import Site

SCRIPT = Path(__file__).with_name("bare_fork.py")


class Forker:
    """`with Forker(site) as forker: ...`; it ends with the block."""

    def __init__(self, site: Site) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), site.module],
            cwd=site.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Forker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # stdin is closed by it, which ends the process.
        self._process.communicate(timeout=30)

    @property
    def pid(self) -> int:
        """Of the process that forks."""
        return self._process.pid

    def seconds(self, way: str) -> float:
        """One fork; *way* is one of `bare_fork.WAYS`.

        :raises OSError: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{way}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError(f"the forking process ended: {self._process.wait(30)}")
        return float(answer)
