"""Which servers a measure is about that does not depend on how they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.servers import Server


def runs_differently(server: Server) -> bool:
    """One of each way that processes come, are watched and go.

    More threads in each change nothing in it, and neither does a proxy in front.
    """
    if " behind " in server.name:
        return False
    return server.threads == 1 or server.one_process
