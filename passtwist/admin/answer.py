"""One answer of the admin API, given now or later.

Runs in: the controller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from passtwist.api.commands import CommandError

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.server import Request

_log = Logger(namespace="passtwist.admin")


def answer(request: Request, value: object) -> bytes:
    """What `render` returns to answer with *value*, or what it fires with."""
    request.setHeader(b"content-type", b"application/json")
    if not isinstance(value, Deferred):
        return _as_json(value)
    _Later(request, value)
    # Twisted's way to say so is a number, whose type says bytes in places.
    return cast("bytes", NOT_DONE_YET)


def refuse(request: Request, status: int, reason: str) -> bytes:
    """What `render` returns to say why there is no answer."""
    request.setResponseCode(status)
    return answer(request, {"error": reason})


class _Later:
    """Writes an answer to *request* when it comes, unless the client has left.

    What was asked for is done all the same.
    """

    def __init__(self, request: Request, value: Deferred[Any]) -> None:
        self._request = request
        self._is_wanted = True
        request.notifyFinish().addErrback(self._left)
        value.addCallbacks(self._come, self._failed)

    def _left(self, _: Failure) -> None:
        self._is_wanted = False

    def _come(self, value: object) -> None:
        self._finish(_as_json(value))

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CommandError):
            status, reason = error.status, str(error)
        else:
            _log.failure("admin API: {path}", failure, path=self._request.path)
            status, reason = 500, BROKEN
        if self._is_wanted:
            self._finish(refuse(self._request, status, reason))

    def _finish(self, body: bytes) -> None:
        if self._is_wanted:
            self._request.write(body)
            self._request.finish()


BROKEN = "that failed; the server's log says how"


def _as_json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
