"""The failures that Twisted logs while a test runs.

Runs in: test processes.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python import failure
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.logger import LogEvent


@implementer(ILogObserver)
class LoggedFailures:
    """A log observer that keeps what was logged with a failure."""

    def __init__(self) -> None:
        self._failures: list[failure.Failure] = []
        self._made_before = 0

    def start(self) -> None:
        """Begin to observe."""
        self._made_before = failure.count
        globalLogPublisher.addObserver(self)

    def stop(self) -> None:
        """Observe no more."""
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Take one event of Twisted's log, old style or new."""
        logged = event.get("log_failure") or event.get("failure")
        if isinstance(logged, failure.Failure):
            self._failures.append(logged)

    def flush(self, *types: type[BaseException]) -> list[failure.Failure]:
        """The failures so far, in order; they are forgotten.

        :param types: take only failures of these and their subclasses; the
            others stay for the next call.
        """
        # A Deferred tells that nobody handled its failure when it is freed.
        # Where no failure was made there is none to find, and no need to pay
        # for a collection.
        if failure.count != self._made_before:
            gc.collect()
        taken = [f for f in self._failures if isinstance(f.value, types or object)]
        self._failures = [f for f in self._failures if f not in taken]
        return taken

    @staticmethod
    def describe(failures: list[failure.Failure]) -> list[str]:
        """One line each, and the traceback below it."""
        return [
            "failure: "
            + each.getErrorMessage()
            + "\n    "
            + each.getTraceback().strip().replace("\n", "\n    ")
            for each in failures
        ]
