"""Put the records of one spawn together into its journey.

Runs in: the controller.
"""

from __future__ import annotations

from dataclasses import replace

from passtwist.model import Step
from passtwist.wire.journey import BEGUN, DONE, FAILED, StepRecord

# An app's code can write records too; the journey stays readable and small.
MAX_STEPS = 200


class Journey:
    """Steps in the order in which they began."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def add(self, record: StepRecord) -> None:
        """A step began or ended."""
        if record.state == BEGUN:
            if len(self._steps) < MAX_STEPS:
                step = Step(record.who, record.pid, record.step, BEGUN, record.at)
                self._steps.append(step)
            return
        for index in range(len(self._steps) - 1, -1, -1):
            step = self._steps[index]
            if step.state == BEGUN and (step.who, step.pid, step.name) == (
                record.who,
                record.pid,
                record.step,
            ):
                seconds = max(0.0, record.at - step.begun_at)
                self._steps[index] = replace(step, state=record.state, seconds=seconds)
                return

    def current(self) -> Step | None:
        """The step that is under way, the innermost one."""
        for step in reversed(self._steps):
            if step.state == BEGUN:
                return step
        return None

    def last(self) -> Step | None:
        """The step under way, else the last that ended."""
        return self.current() or (self._steps[-1] if self._steps else None)

    def fail(self, at: float) -> None:
        """Whatever is under way has failed at *at* (CLOCK_MONOTONIC)."""
        for index, step in enumerate(self._steps):
            if step.state == BEGUN:
                seconds = max(0.0, at - step.begun_at)
                self._steps[index] = replace(step, state=FAILED, seconds=seconds)

    def finish(self, at: float) -> None:
        """The worker is ready at *at*, so whatever led to it is done.

        Who has forked it may say so later than it says that it is ready, if at all:
        nobody reads any more.  The next step's beginning is as good.
        """
        for index, step in enumerate(self._steps):
            if step.state == BEGUN:
                later = self._steps[index + 1 : index + 2]
                until = later[0].begun_at if later else at
                seconds = max(0.0, until - step.begun_at)
                self._steps[index] = replace(step, state=DONE, seconds=seconds)

    def steps(self) -> tuple[Step, ...]:
        """All of it, oldest first."""
        return tuple(self._steps)
