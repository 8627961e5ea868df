"""The pool policy sticky: visitors come back to the worker they had before.

Runs in: the controller.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IPoolPolicy
from passtwist.api.requests import variable
from passtwist_sticky.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.api.interfaces import IRequest

COOKIE = b"_passtwist_route"


@implementer(IPoolPolicy)
class Sticky:
    """Leads by a cookie.

    :param key: 32 bytes that nobody else knows.
    """

    name = "sticky"
    description = f"sticky sessions by the cookie {COOKIE.decode()}"

    def __init__(self, key: bytes) -> None:
        self._marks = Marks(key)

    def prefer(self, app: str, request: IRequest) -> int:
        """As `IPoolPolicy.prefer`."""
        for mark in _marks_in(variable(request, b"HTTP_COOKIE")):
            worker = self._marks.read(app, mark)
            if worker:
                return worker
        return 0

    def headers(self, app: str, request: IRequest, worker: int) -> bytes:
        """As `IPoolPolicy.headers`: a cookie, unless the client has that one."""
        mark = self._marks.make(app, worker)
        if mark in _marks_in(variable(request, b"HTTP_COOKIE")):
            return b""
        return b"Set-Cookie: %b=%b; Path=%b; HttpOnly; SameSite=Lax%b\r\n" % (
            COOKIE,
            mark,
            variable(request, b"SCRIPT_NAME") or b"/",
            b"; Secure" if variable(request, b"HTTPS") == b"on" else b"",
        )


def _marks_in(cookies: bytes) -> Iterator[bytes]:
    """What the client sent under our name.

    More than one where an app at ``/shop`` lies beneath an app at ``/``: the
    client has a cookie of each.
    """
    for cookie in cookies.split(b";"):
        name, _, value = cookie.partition(b"=")
        if name.strip(b" \t") == COOKIE:
            yield value.strip(b" \t")


@hookimpl
def passtwist_pool_policy() -> IPoolPolicy:
    """One policy for all apps of the server."""
    return Sticky(secrets.token_bytes(32))
