"""A request that the front end answers itself, with an error.

Runs in: the controller.
"""

from __future__ import annotations

from passtwist.errors import PasstwistError


class Refusal(PasstwistError):
    r"""This request does not reach an app.

    :ivar status: the HTTP status that the client gets.
    :ivar reason: one sentence, shown in development and in the log.
    :ivar close: the connection can't be used again, because where the next
        request begins is not known.
    :ivar headers: what this status needs (RFC 9110: Allow with 405, Content-Range
        with 416, Upgrade with 426), as lines, ``b"Allow: GET, HEAD\r\n"``; nothing
        of a client's in them.
    """

    def __init__(
        self, status: int, reason: str, close: bool = True, headers: bytes = b""
    ) -> None:
        self.status = status
        self.reason = reason
        self.close = close
        self.headers = headers
        super().__init__(f"{status}: {reason}")
