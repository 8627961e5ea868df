"""What a series of waiting times says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Waits that follow each other resemble each other, so the spread of single
# waits says too little; that of the means of long batches is an honest error.
_BATCHES = 25

# Two-sided, 95 %, of Student's distribution with 24 degrees of freedom.
_STUDENT = 2.064


@dataclass(frozen=True)
class Waits:
    """Of many requests in the order in which they came; seconds.

    :ivar error: half the width of the interval in which the true mean lies
        with a probability of 95 %; 0 where there are too few to tell.
    """

    count: int
    mean: float
    error: float
    p99: float
    longest: float


def summary(waits: Sequence[float]) -> Waits:
    """Of waits in the order of arrival; of none: all zero."""
    if not waits:
        return Waits(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(waits)
    last = math.ceil(0.99 * len(ordered)) - 1
    mean, longest = fmean(ordered), ordered[-1]
    return Waits(len(ordered), mean, _error(waits), ordered[last], longest)


def _error(waits: Sequence[float]) -> float:
    size = len(waits) // _BATCHES
    if not size:
        return 0.0
    means = [
        fmean(waits[number * size : (number + 1) * size]) for number in range(_BATCHES)
    ]
    return _STUDENT * stdev(means) / math.sqrt(_BATCHES)
