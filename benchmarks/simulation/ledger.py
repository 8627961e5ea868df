"""What became of each request: every one has exactly one answer."""

from __future__ import annotations

from array import array
from collections import Counter
from math import isnan, nan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

# Answers.
SERVED = "served"
CUT = "cut off by the death of their worker"
LEFT = "left by their client while they waited"


class WrongAnswer(AssertionError):
    """A request was answered twice, or begun twice, or never."""


class Ledger:
    """The books.  Tickets are numbers, in the order of asking.

    :ivar unanswered: tickets without an answer yet, each with its app.
    :ivar asked_at: by ticket, seconds.
    :ivar waits: by ticket, seconds until a worker began it; not a number for
        those that none has begun.
    :ivar apps: by ticket.
    :ivar answers: how many of each kind.
    :ivar longest: seconds that anybody waited, for a worker or for a refusal.
    """

    def __init__(self) -> None:
        self.unanswered: dict[int, str] = {}
        self.asked_at = array("d")
        self.waits = array("d")
        self.apps: list[str] = []
        self.answers: Counter[str] = Counter()
        self.longest = 0.0

    def ask(self, app: str, now: float) -> int:
        """The ticket of a new request."""
        ticket = len(self.apps)
        self.apps.append(app)
        self.asked_at.append(now)
        self.waits.append(nan)
        self.unanswered[ticket] = app
        return ticket

    def begin(self, ticket: int, now: float) -> None:
        """:raises WrongAnswer: it was begun already, or is answered."""
        if not isnan(self.waits[ticket]) or ticket not in self.unanswered:
            raise WrongAnswer(f"ticket {ticket} is begun a second time")
        wait = self.waits[ticket] = now - self.asked_at[ticket]
        self.longest = max(self.longest, wait)

    def answer(self, ticket: int, answer: str, now: float) -> None:
        """:raises WrongAnswer: it has one."""
        if self.unanswered.pop(ticket, None) is None:
            raise WrongAnswer(f"ticket {ticket} is answered a second time")
        if isnan(self.waits[ticket]):
            self.longest = max(self.longest, now - self.asked_at[ticket])
        self.answers[answer] += 1

    def close(self) -> None:
        """Nothing more will come.

        :raises WrongAnswer: somebody has no answer, or the sum is wrong.
        """
        if self.unanswered:
            ticket, app = next(iter(self.unanswered.items()))
            raise WrongAnswer(
                f"{len(self.unanswered)} requests have no answer, the first is "
                f"ticket {ticket} of {app}"
            )
        if self.answers.total() != len(self.apps):
            raise WrongAnswer(f"{self.answers.total()} answers, {len(self.apps)} asked")

    def begun_waits(self, apps: Container[str] | None = None) -> list[float]:
        """Of those that a worker has begun, in the order of asking; seconds.

        :param apps: only of these.
        """
        return [
            wait
            for wait, app in zip(self.waits, self.apps, strict=True)
            if not isnan(wait) and (apps is None or app in apps)
        ]
