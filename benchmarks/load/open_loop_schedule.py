"""Which request is made when, decided before the first one: the same for all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate, count, repeat, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Kind:
    """A kind of request: a GET.

    :ivar weight: its share, beside those of the others.
    :ivar length: bytes that the body of the answer must have; -1 if they vary.
    """

    name: str
    path: str
    weight: int = 1
    length: int = -1


def intended_times(rate: float, seconds: float, seed: int | None) -> Iterator[float]:
    """Seconds after the start, in order, all below *seconds*.

    :param seed: of arrivals that are independent of one another (Poisson); None
        for a constant rate.
    """
    moments: Iterator[float]
    if seed is None:
        # Multiplied, as a sum of many steps would drift.
        moments = (number / rate for number in count())
    else:
        chance = random.Random(seed)
        steps = (chance.expovariate(rate) for _ in repeat(None))
        moments = accumulate(steps, initial=0.0)
    return takewhile(lambda moment: moment < seconds, moments)


def kinds_in_turn(kinds: Sequence[Kind], seed: int | None) -> Iterator[int]:
    """Indices of kinds, without end, in a random order with their weights' shares.

    They are dealt: in each run of as many requests as the weights' sum is, each
    kind comes as often as its weight.  So rounds differ in the order only.
    """
    # Not the numbers that the times are made of.
    chance = random.Random(f"kinds {seed}")
    deck = [index for index, kind in enumerate(kinds) for _ in range(kind.weight)]
    while True:
        chance.shuffle(deck)
        yield from deck


def schedule(
    kinds: Sequence[Kind], rate: float, seconds: float, seed: int | None
) -> list[tuple[float, int]]:
    """Intended times, each with the index of its kind."""
    times = intended_times(rate, seconds, seed)
    return list(zip(times, kinds_in_turn(kinds, seed), strict=False))
