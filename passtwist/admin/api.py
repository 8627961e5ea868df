"""The admin API: pages to GET and commands to POST, all of them JSON.

Runs in: the controller.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.web.resource import Resource

from passtwist.admin.answer import BROKEN, answer, refuse
from passtwist.admin.request import MAX_BODY, LimitedRequest
from passtwist.api.commands import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.web.server import Request

    # Any: JSON, or a Deferred of it.
    Page = Callable[..., Any]
    Command = Callable[[dict[str, Any]], Any]

PREFIX = "/v1/"

_log = Logger(namespace="passtwist.admin")


class Api(Resource):
    """Answers whatever is asked for.

    :param pages: by name; called with the arguments of the query, all texts, by
        their names.  A page that knows no such argument is not called.
    :param commands: by name; called with the JSON object that was sent.
    """

    isLeaf = True

    def __init__(
        self, pages: Mapping[str, Page], commands: Mapping[str, Command]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted has no types there
        self._pages = pages
        self._commands = commands

    def render(self, request: Request) -> bytes:
        """The answer, now or later."""
        path = request.path.decode("latin-1")
        name = path.removeprefix(PREFIX) if path.startswith(PREFIX) else ""
        method = request.method
        try:
            if name in self._pages:
                if method not in (b"GET", b"HEAD"):
                    return self._not_allowed(request, name, "GET")
                return answer(request, self._page(name, request))
            if name in self._commands:
                if method != b"POST":
                    return self._not_allowed(request, name, "POST")
                return answer(request, self._command(name, request))
        except CommandError as error:
            return refuse(request, error.status, str(error))
        except Exception:  # noqa: BLE001 - logged and answered
            # A page or command that is broken; the connection goes on.
            _log.failure("admin API: {path}", path=path)
            return refuse(request, 500, BROKEN)
        return refuse(
            request,
            404,
            f"there is no {path!r}; to GET there are: {_listed(self._pages)}; to "
            f"POST: {_listed(self._commands)}",
        )

    def _page(self, name: str, request: Request) -> Any:
        page = self._pages[name]
        query = {
            one.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
            for one, values in (request.args or {}).items()
        }
        try:
            inspect.signature(page).bind(**query)
        except TypeError as error:
            raise CommandError(400, f"{name}: {error}") from None
        return page(**query)

    def _command(self, name: str, request: Request) -> Any:
        if isinstance(request, LimitedRequest) and request.is_too_large:
            raise CommandError(413, f"{name}: more than {MAX_BODY} bytes were sent")
        sent = request.content.read() if request.content is not None else b""
        try:
            given = json.loads(sent or b"{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise CommandError(400, f"{name}: what was sent is no JSON object")
        return self._commands[name](given)

    def _not_allowed(self, request: Request, name: str, method: str) -> bytes:
        request.setHeader(b"allow", method.encode())
        return refuse(request, 405, f"{name} wants {method}")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(PREFIX + name for name in sorted(names)) or "nothing"
