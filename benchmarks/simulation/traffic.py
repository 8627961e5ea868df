"""Who asks for what, and when.

Each concern has its own source of chance, so that a change of one (more
crashes, say) leaves all others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def source(seed: int, concern: str) -> Random:
    """The chance of one concern of the run with that seed."""
    return Random(f"{seed} {concern}")


@dataclass(frozen=True)
class Trace:
    """Requests for one app: when they come and how long they take, in seconds."""

    arrivals: Sequence[float]
    services: Sequence[float]


def poisson_trace(
    seed: int, count: int, rate: float, service: Mixture | Exponential
) -> Trace:
    """*count* requests, *rate* a second on average."""
    arrivals, services = source(seed, "arrivals"), source(seed, "services")
    return Trace(
        list(accumulate(arrivals.expovariate(rate) for _ in range(count))),
        [service.draw(services) for _ in range(count)],
    )


@dataclass(frozen=True)
class Exponential:
    """Service times with that mean, in seconds."""

    mean: float

    def draw(self, chance: Random) -> float:
        return chance.expovariate(1 / self.mean)


@dataclass(frozen=True)
class Mixture:
    """Fast requests and slow ones; seconds.

    Fast ones are exponential with that mean; slow ones take from half of
    *slow* to half more, so that none is so long that it says nothing about
    the pool.

    :ivar slow_share: of all requests, from 0 to 1.
    """

    fast: float
    slow: float
    slow_share: float

    @property
    def mean(self) -> float:
        return self.fast * (1 - self.slow_share) + self.slow * self.slow_share

    def draw(self, chance: Random) -> float:
        if chance.random() < self.slow_share:
            return self.slow * (0.5 + chance.random())
        return chance.expovariate(1 / self.fast)


class Popularity:
    """Zipf's law: the k-th app is asked for 1/k**exponent times as often."""

    def __init__(self, apps: Sequence[str], exponent: float = 1.0) -> None:
        self._apps = apps
        weights = [1 / rank**exponent for rank in range(1, len(apps) + 1)]
        self._bounds = list(accumulate(weights))
        self.shares = [weight / self._bounds[-1] for weight in weights]

    def draw(self, chance: Random) -> str:
        return chance.choices(self._apps, cum_weights=self._bounds)[0]
