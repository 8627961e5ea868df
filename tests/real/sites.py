"""Apps of others in folders of the test's own, and visitors of them.

Runs in: tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from passtwist.testing.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from passtwist.testing.server import RunningServer


class App:
    """A folder that is served below ``/NAME``; for `tests.integration.sites.serve`.

    :param keys: further keys of its ``[[app]]``.
    """

    def __init__(self, parent: Path, name: str, python: str, **keys: object) -> None:
        self.root = parent / name
        self.root.mkdir(exist_ok=True)
        self.keys = {
            "name": name,
            "root": str(self.root),
            "base_uri": f"/{name}",
            "python": python,
            **keys,
        }


def visit(server: RunningServer, path: str = "") -> httpx.Client:
    """A browser's connection and cookies, which starts at *path*.

    It follows no redirect unless it is told to, and no proxy of the machine's.
    """
    return httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}{path}",
        timeout=PATIENCE,
        trust_env=False,
        # Reading certificates takes longer than the test, and plain HTTP needs none.
        verify=False,
    )
