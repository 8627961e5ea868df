"""The measures, in the order of the report."""

from __future__ import annotations

from benchmarks.measures.base import Amount, Bench, Measure, say, scratch
from benchmarks.measures.throughput import Throughput

__all__ = ["Amount", "Bench", "Measure", "every_measure", "say", "scratch"]


def every_measure() -> list[Measure]:
    """All of them."""
    return [Throughput()]
