"""Why a request got no answer from its app, or somebody who asked no stacks.

Runs in: the controller.  Made by the service, shown by the front end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from passtwist.errors import PasstwistError

if TYPE_CHECKING:
    from passtwist.errors import SpawnError


@dataclass(frozen=True)
class RequestFailure:
    """What the client is told, and what only the log is told.

    :ivar status: HTTP status of the error page.
    :ivar reason: one sentence for the log; never shown in production.
    :ivar retry_after: seconds for ``Retry-After``, or None for no header.
    :ivar error: the failed spawn behind it, if that is the cause.
    """

    status: int
    reason: str
    retry_after: int | None = None
    error: SpawnError | None = None


class NoStacks(PasstwistError):
    """A process does not tell the stacks of its threads; the message says why."""
