"""The generator's loops: by a schedule (open), or each connection at once (closed)."""

from __future__ import annotations

import asyncio
import gc
import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.load.open_loop_connection import Asked
from benchmarks.load.open_loop_crowd import Crowd
from benchmarks.load.open_loop_outcome import TOLERATED_LAG, Outcome, percentile
from benchmarks.load.open_loop_schedule import Kind, kinds_in_turn, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Of a processor: above it the generator is measured itself.
TOLERATED_LOAD = 0.9

# Before a closed loop asks again after an error: a server that refuses at once
# would otherwise be asked most of all.
PAUSE = 0.02


@dataclass(frozen=True)
class Plan:
    """A load.

    :ivar rate: requests a second; 0 for a closed loop.
    :ivar seed: of the order of kinds, and of Poisson arrivals.
    :ivar constant: equal distances instead of Poisson arrivals.
    :ivar patience: seconds; an answer that takes longer is an error.
    """

    url: str
    kinds: Sequence[Kind]
    seconds: float
    rate: float = 0.0
    connections: int = 64
    patience: float = 10.0
    seed: int = 1
    constant: bool = False


def drive(plan: Plan) -> Outcome:
    """Put it on, in a loop of its own, until all requests are settled."""
    # epoll waits for whole milliseconds, which is what fast answers take.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    gc.disable()
    try:
        return loop.run_until_complete(_drive(plan))
    finally:
        gc.enable()
        loop.close()


async def _drive(plan: Plan) -> Outcome:
    driver: Open | Closed = Open(plan) if plan.rate else Closed(plan)

    def failed(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # An error in a callback would else be logged, and nothing would end.
        error = context.get("exception") or RuntimeError(context["message"])
        if not driver.done.done():
            driver.done.set_exception(error)

    asyncio.get_running_loop().set_exception_handler(failed)
    begun = time.monotonic()
    spent = time.process_time()
    try:
        await driver.done
    finally:
        driver.crowd.close()
    seconds = time.monotonic() - begun
    lags = sorted(driver.lags) or [0.0]
    busy = (time.process_time() - spent) / seconds
    lag = percentile(lags, 990)
    return Outcome(
        seconds=seconds,
        connections=driver.crowd.opened,
        lag_p99=lag * 1e3,
        lag_max=lags[-1] * 1e3,
        busy=busy,
        kept_up=lag < TOLERATED_LAG and busy < TOLERATED_LOAD,
        kinds={
            kind.name: tally.total(plan.patience)
            for kind, tally in zip(plan.kinds, driver.crowd.tallies, strict=True)
        },
    )


class Open:
    """Each request at its time, however many are not answered yet.

    :ivar lags: seconds by which the loop came late with each.
    """

    def __init__(self, plan: Plan) -> None:
        self._loop = asyncio.get_running_loop()
        self.crowd = _crowd(self._loop, plan, self._settled)
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.lags: list[float] = []
        begin = self._loop.time() + 0.01
        self._due = [
            (begin + moment, kind)
            for moment, kind in schedule(
                plan.kinds,
                plan.rate,
                plan.seconds,
                None if plan.constant else plan.seed,
            )
        ]
        self._unsettled = len(self._due)
        # The next one at the end.
        self._due.reverse()
        self._tick()

    def _tick(self) -> None:
        due = self._due
        while due:
            intended, kind = due[-1]
            lag = self._loop.time() - intended
            if lag < 0:
                self._loop.call_at(intended, self._tick)
                return
            due.pop()
            self.lags.append(lag)
            self.crowd.offer(Asked(kind, intended))

    def _settled(self, answered: bool) -> None:
        self._unsettled -= 1
        if not self._unsettled:
            self.done.set_result(None)


class Closed:
    """Each connection asks again as soon as it has its answer."""

    def __init__(self, plan: Plan) -> None:
        self._loop = asyncio.get_running_loop()
        self.crowd = _crowd(self._loop, plan, self._settled)
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.lags: list[float] = []
        self._kinds = kinds_in_turn(plan.kinds, plan.seed)
        self._end = self._loop.time() + plan.seconds
        self._asking = plan.connections
        for _ in range(plan.connections):
            self._ask()

    def _ask(self) -> None:
        self.crowd.offer(Asked(next(self._kinds), self._loop.time()))

    def _settled(self, answered: bool) -> None:
        if self._loop.time() < self._end:
            if answered:
                self._ask()
            else:
                self._loop.call_later(PAUSE, self._ask)
            return
        self._asking -= 1
        if not self._asking:
            self.done.set_result(None)


def _crowd(
    loop: asyncio.AbstractEventLoop, plan: Plan, settled: Callable[[bool], None]
) -> Crowd:
    return Crowd(loop, plan.url, plan.kinds, plan.connections, plan.patience, settled)
