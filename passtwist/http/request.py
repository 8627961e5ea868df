"""One request, whole and accepted.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IRequest

if TYPE_CHECKING:
    from collections.abc import Sequence


@implementer(IRequest)
class Request:
    """See `passtwist.api.interfaces.IRequest`."""

    __slots__ = ("body", "body_file", "body_length", "method", "pairs", "path")

    def __init__(
        self,
        pairs: Sequence[bytes],
        method: bytes,
        path: bytes,
        body: bytes = b"",
        body_file: int | None = None,
        body_length: int = 0,
    ) -> None:
        self.pairs = pairs
        self.method = method
        self.path = path
        self.body = body
        self.body_file = body_file
        self.body_length = body_length
