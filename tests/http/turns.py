"""Waiting for what the reactor does, turn by turn."""

from __future__ import annotations

from twisted.internet import reactor, task

_PATIENCE = 20.0  # seconds


async def turn() -> None:
    """Let the reactor run once."""
    await task.deferLater(reactor, 0)


async def until(condition, what: str):
    """What *condition* answers, once that is true."""
    end = reactor.seconds() + _PATIENCE
    while not (found := condition()):
        assert reactor.seconds() < end, f"never: {what}"
        await turn()
    return found


async def submitted(real, count: int) -> None:
    """Wait until so many requests have reached the pool."""
    await until(lambda: len(real.pool.sessions) >= count, f"{count} requests")
