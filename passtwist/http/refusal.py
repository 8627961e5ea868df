"""A request that the front end answers itself, with an error.

Runs in: the controller.
"""

from __future__ import annotations

from passtwist.errors import PasstwistError


class Refusal(PasstwistError):
    """This request does not reach an app.

    :ivar status: the HTTP status that the client gets.
    :ivar reason: one sentence, shown in development and in the log.
    :ivar close: the connection can't be used again, because where the next
        request begins is not known.
    """

    def __init__(self, status: int, reason: str, close: bool = True) -> None:
        self.status = status
        self.reason = reason
        self.close = close
        super().__init__(f"{status}: {reason}")
