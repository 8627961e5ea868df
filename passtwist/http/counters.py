"""What the front end counts: plain integers, read when somebody asks.

Runs in: the controller.
"""

from __future__ import annotations


class Counters:
    """Since start.

    :ivar connections: accepted.
    :ivar requests: heads that were read and accepted.
    :ivar refused: requests answered with an error before any app saw them.
    :ivar unsafe_names: request headers dropped because of their names.
    :ivar bad_responses: responses of apps replaced by an error page.
    :ivar cut_responses: responses with more or less body than announced.
    :ivar failed: requests that the pool failed.
    :ivar client_gone: requests whose client left before the answer was complete.
    :ivar timed_out: connections closed by a deadline, idle ones not counted.
    :ivar gave_way: idle connections closed because others needed room.
    :ivar times_full: how often all were busy, so that others had to wait.
    """

    __slots__ = (
        "bad_responses",
        "client_gone",
        "connections",
        "cut_responses",
        "failed",
        "gave_way",
        "refused",
        "requests",
        "timed_out",
        "times_full",
        "unsafe_names",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.refused = 0
        self.unsafe_names = 0
        self.bad_responses = 0
        self.cut_responses = 0
        self.failed = 0
        self.client_gone = 0
        self.timed_out = 0
        self.gave_way = 0
        self.times_full = 0

    def as_dict(self) -> dict[str, int]:
        """Name and value of each."""
        return {name: getattr(self, name) for name in self.__slots__}
