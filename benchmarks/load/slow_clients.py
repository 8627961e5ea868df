"""Clients that are slow, from a process of its own, until its input ends.

    python -m benchmarks.load.slow_clients URL head|upload|reader COUNT

Prints a line "ready" when all of them have begun, and at the end a line of
JSON: how many connections the server ended or refused, by reason.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.load.slow_manners import MANNERS, Manner, SlowClient

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
STEP = 0.1
# For all of them to begin: readers have their first bytes then, so that the making
# of many answers at once is over.  A server that they block lets most of them wait.
BEGIN = 2.0


class SlowClients:
    """`with SlowClients(url, "head", 50) as slow: ...`: slow till the block's end.

    :ivar ended: connections that the server ended or refused, by reason; after
        the block.
    :ivar process: theirs.
    """

    def __init__(self, url: str, kind: str, count: int) -> None:
        self.ended: dict[str, int] = {}
        self._command = [
            sys.executable,
            "-m",
            "benchmarks.load.slow_clients",
            url,
            kind,
            str(count),
        ]
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> SlowClients:
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            self.process.communicate()
            raise subprocess.CalledProcessError(self.process.returncode, self._command)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process is not None
        try:
            # Its input ends, and so does it.
            output, _ = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self.ended = json.loads(output)


def crowd(url: str, manner: Manner, count: int) -> list[SlowClient]:
    """So many, not connected yet."""
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    return [SlowClient(manner, address, parts.netloc, parts.path) for _ in range(count)]


def main() -> None:
    """Be slow until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.slow_clients")
    parser.add_argument("url", help="where the site's root is")
    parser.add_argument("manner", choices=MANNERS)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    clients = crowd(options.url, MANNERS[options.manner], options.count)
    begin = time.monotonic()
    told = False
    while True:
        for client in clients:
            client.step()
        late = time.monotonic() - begin > BEGIN
        if not told and (late or all(client.begun for client in clients)):
            told = True
            sys.stdout.write("ready\n")
            sys.stdout.flush()
        if select.select([sys.stdin], [], [], STEP)[0] and not os.read(0, 4096):
            break
    ended: Counter[str] = Counter()
    for client in clients:
        ended.update(client.ended)
        client.close()
    json.dump(ended, sys.stdout)


if __name__ == "__main__":
    main()
