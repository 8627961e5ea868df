"""How large the storms are: small among all tests, large by ``make storm``.

Runs in: tests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much of everything.

    :ivar rate: requests in a second, of all clients together.
    :ivar requests: how many there are at least while there are deployments.
    :ivar restarts: deployments of good code.
    :ivar broken: deployments of each kind of bad code.
    :ivar kills: processes that are killed.
    :ivar timeout: seconds after which a test is stuck.
    """

    rate: float
    requests: int
    restarts: int
    broken: int
    kills: int
    timeout: float


SMALL = Size(rate=300, requests=1_000, restarts=3, broken=1, kills=9, timeout=120)
# Kills every 0.3 s: 200 take a minute.
LARGE = Size(rate=500, requests=20_000, restarts=20, broken=5, kills=200, timeout=900)
SIZE = LARGE if os.environ.get("PASSTWIST_STORM") == "full" else SMALL
