"""A request to the admin API, of which only so much is kept.

Runs in: the controller.
"""

from __future__ import annotations

from io import BytesIO

from twisted.web.server import Request

MAX_BODY = 64 * 1024


class LimitedRequest(Request):
    """Keeps its body in memory, if it is no larger than MAX_BODY.

    :ivar is_too_large: it was; something of it is missing.
    """

    is_too_large = False
    content: BytesIO

    def gotLength(self, length: int | None) -> None:
        """See `Request.gotLength`, which makes a file for a long body."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """See `Request.handleContentChunk`."""
        if self.content.tell() + len(data) > MAX_BODY:
            self.is_too_large = True
        else:
            self.content.write(data)
