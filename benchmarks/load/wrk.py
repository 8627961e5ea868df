"""Closed-loop load by wrk, with the percentiles that its own report leaves out."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """What wrk measured; latencies in milliseconds.

    :ivar requests: those that were answered with 2xx or 3xx; `rate` is of them.
    :ivar errors: answers that were not 2xx or 3xx, and failed connections.
    """

    rate: float
    requests: int
    errors: int
    p50: float
    p99: float
    p999: float


def wrk(url: str, seconds: int, connections: int = 32, upload: int = 0) -> Load:
    """One thread of wrk, keep-alive as far as the server has it.

    :param seconds: whole ones; wrk takes no others.
    :param upload: bytes of a body; more than zero makes it a POST.
    """
    command = [
        "wrk",
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds}",
        "--timeout=10",
        f"--script={SCRIPT}",
        url,
        "--",
        str(upload),
    ]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=seconds + 60
    )
    found = json.loads(run.stdout.rpartition("JSON ")[2])
    # wrk counts refusals as requests; they are quick, and no service.
    served = found["requests"] - found["refused"]
    return Load(
        rate=served / found["seconds"],
        requests=served,
        errors=found["errors"],
        p50=found["p50"],
        p99=found["p99"],
        p999=found["p999"],
    )
