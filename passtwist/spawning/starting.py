"""The workers that are on their way: there is a process, but it is not ready.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IStartingWorker

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from passtwist.spawning.child import Child
    from passtwist.spawning.stacks import Stacks


@implementer(IStartingWorker)
class StartingWorker:
    """See `IStartingWorker`."""

    def __init__(self, child: Child, stacks: Stacks) -> None:
        self.pid = child.pid
        self._child = child
        self._stacks = stacks

    def stacks(self) -> Deferred[str]:
        """See `IStartingWorker.stacks`."""
        return self._stacks.ask(self._child.signal)
