"""What the generator found: latencies for each kind of request, and its own lag."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# A generator that sends later than this is measured itself.
TOLERATED_LAG = 0.005


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    p50: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True)
class KindOutcome:
    """One kind of request.

    :ivar count: requests that were due.
    :ivar answered: those with the right status and a whole body.
    :ivar reasons: how often each error came; all others of `count`.
    :ivar retried: those asked once more, because the server closed the
        connection, kept alive till then, when they were sent.
    :ivar latency: from the intended time.  A request with an error counts with
        the time limit, so that nobody looks fast by refusing.
    :ivar service: from the sending, as a closed loop would see it.
    """

    count: int
    answered: int
    reasons: dict[str, int]
    retried: int
    latency: Spread
    service: Spread

    @property
    def errors(self) -> int:
        """Requests that were not answered as they should be."""
        return self.count - self.answered


@dataclass(frozen=True)
class Outcome:
    """One load.

    :ivar seconds: from the first intended time until all was answered.
    :ivar connections: how many were opened.
    :ivar lag_p99: milliseconds that the generator itself came late with a
        request; of an open loop only.
    :ivar busy: share of a processor that the generator took.
    :ivar kept_up: it was neither late nor busy all the time; if false the
        latencies are in part its own.
    """

    seconds: float
    connections: int
    lag_p99: float
    lag_max: float
    busy: float
    kept_up: bool
    kinds: dict[str, KindOutcome]

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def outcome_from(data: dict[str, Any]) -> Outcome:
    """The contrary of `Outcome.as_dict`."""
    kinds = {}
    for name, one in data.pop("kinds").items():
        latency = Spread(**one.pop("latency"))
        service = Spread(**one.pop("service"))
        kinds[name] = KindOutcome(**one, latency=latency, service=service)
    return Outcome(**data, kinds=kinds)


@dataclass
class Tally:
    """What is noted of one kind while the load runs; seconds."""

    latencies: list[float] = field(default_factory=list)
    services: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    retried: int = 0

    def total(self, limit: float) -> KindOutcome:
        """All of it.

        :param limit: what a request with an error counts with.
        """
        failed = [limit] * sum(self.reasons.values())
        return KindOutcome(
            count=len(self.latencies) + len(failed),
            answered=len(self.latencies),
            reasons=dict(self.reasons),
            retried=self.retried,
            latency=spread([*self.latencies, *failed]),
            service=spread(self.services),
        )


def spread(seconds: Sequence[float]) -> Spread:
    """Percentiles in milliseconds; zeros of nothing."""
    ordered = sorted(seconds) or [0.0]
    return Spread(
        p50=percentile(ordered, 500) * 1e3,
        p99=percentile(ordered, 990) * 1e3,
        p999=percentile(ordered, 999) * 1e3,
        max=ordered[-1] * 1e3,
    )


def percentile(ordered: Sequence[float], per_mille: int) -> float:
    """The smallest value that so many of a thousand do not exceed."""
    rank = -(-len(ordered) * per_mille // 1000)
    return ordered[max(rank, 1) - 1]
