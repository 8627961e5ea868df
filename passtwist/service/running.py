"""What is kept of a worker, from the decision to spawn it until it is reaped.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.interfaces import IWorker
    from passtwist.service.sessions.links import Link


class RunningWorker:
    """One worker of the driver's.

    :ivar since: when its spawn was decided, on the pool's clock.
    :ivar check_health: it has to answer the app's health check first.
    :ivar spawn: under way until there is a worker.
    :ivar link: None until it says that it is ready; then connecting, then in use.
    :ivar deadline: for its leaving.
    :ivar is_condemned: a request in it took too long, so it is going to be ended.
    """

    def __init__(self, app: str, generation: int, since: float) -> None:
        self.app = app
        self.generation = generation
        self.since = since
        self.spawn: Deferred[IWorker] | None = None
        self.worker: IWorker | None = None
        self.link: Link | None = None
        self.deadline: IDelayedCall | None = None
        self.asked_to_leave = False
        self.is_condemned = False
        self.check_health = False

    @property
    def is_lost(self) -> bool:
        """Its connections broke, and it takes no new ones."""
        return self.link is not None and self.link.is_lost
