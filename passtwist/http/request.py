"""One request, accepted, and whole unless its body is streamed.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.api.interfaces import IBodyStream


@implementer(IRequest)
class Request:
    """See `passtwist.api.interfaces.IRequest`."""

    __slots__ = (
        "body",
        "body_file",
        "body_length",
        "body_stream",
        "method",
        "pairs",
        "path",
        "upgrade",
    )

    def __init__(
        self,
        pairs: Sequence[bytes],
        method: bytes,
        path: bytes,
        body: bytes = b"",
        body_file: int | None = None,
        body_length: int = 0,
        body_stream: IBodyStream | None = None,
        upgrade: Sequence[bytes] = (),
    ) -> None:
        self.pairs = pairs
        self.method = method
        self.path = path
        self.body = body
        self.body_file = body_file
        self.body_length = body_length
        self.body_stream = body_stream
        self.upgrade = upgrade
