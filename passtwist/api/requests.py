"""Looking into a request.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.api.interfaces import IRequest


def variable(request: IRequest, name: bytes) -> bytes:
    """The CGI variable *name* of *request*; empty when it has none."""
    return value_of(request.pairs, name)


def value_of(pairs: Sequence[bytes], name: bytes) -> bytes:
    """The value of *name* among names and values in turn; empty without one."""
    try:
        # Only names: a client may choose a value that looks like one.
        return pairs[2 * pairs[::2].index(name) + 1]
    except ValueError:
        return b""
