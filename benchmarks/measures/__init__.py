"""The measures, in the order of the report."""

from __future__ import annotations

from benchmarks.measures.base import Amount, Bench, Measure, say, scratch
from benchmarks.measures.cold_start import ColdStart
from benchmarks.measures.idle_connections import IdleConnections
from benchmarks.measures.latency import Latency
from benchmarks.measures.memory import Memory
from benchmarks.measures.memory_curve import MemoryCurve
from benchmarks.measures.mixed import Mixed, MixedClosed
from benchmarks.measures.neighbour import Neighbour
from benchmarks.measures.recovery import Recovery
from benchmarks.measures.restart import Restart
from benchmarks.measures.slow_clients import BesideSlowClients
from benchmarks.measures.spawning import Spawning
from benchmarks.measures.throughput import Throughput

__all__ = ["Amount", "Bench", "Measure", "every_measure", "say", "scratch"]


def every_measure() -> list[Measure]:
    """All of them."""
    return [
        Throughput(),
        Latency(),
        Mixed(),
        MixedClosed(),
        BesideSlowClients(),
        IdleConnections(),
        Neighbour(),
        Memory(),
        MemoryCurve(),
        Spawning(),
        ColdStart(),
        Recovery(),
        Restart(),
    ]
