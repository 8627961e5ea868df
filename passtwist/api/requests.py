"""Looking into a request.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.api.interfaces import IRequest


def variable(request: IRequest, name: bytes) -> bytes:
    """The CGI variable *name* of *request*; empty when it has none."""
    pairs = request.pairs
    try:
        # Only names: a client may choose a value that looks like one.
        return pairs[2 * pairs[::2].index(name) + 1]
    except ValueError:
        return b""
