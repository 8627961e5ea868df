"""Pages of somebody's own in place of the server's error pages.

Runs in: the controller.  Plugins import the interface from
`passtwist.api.interfaces`.
"""

from __future__ import annotations

from dataclasses import dataclass

from zope.interface import Attribute, Interface


@dataclass(frozen=True)
class ErrorFacts:
    """What a visitor may know of an error that the server answers with.

    :ivar status: 400 or more.
    :ivar title: status and its name, ``503 Service Unavailable``.
    :ivar request_id: as in the log; a trusted proxy may have chosen it, so it is
        to be escaped.
    :ivar error_id: of a spawn that failed, as in the log; else "".
    :ivar app: name of the app that was asked for; "" when none was found.
    :ivar wants_json: the client takes JSON and no HTML.
    """

    status: int
    title: str
    request_id: str
    error_id: str = ""
    app: str = ""
    wants_json: bool = False


class IErrorPage(Interface):
    """Makes error pages for visitors; what an error page plugin provides.

    Asked in the reactor's thread for each error that the server answers with
    itself, in production, so it must be quick: what is in a file is to be read
    before.  When it raises, or answers what makes no sense, that is logged, and
    the visitor gets the server's own page.
    """

    name: str = Attribute("For lists and the log.")
    description: str = Attribute("One line for `--list-plugins`.")

    def page(facts: ErrorFacts) -> bytes | None:
        """A page in HTML and UTF-8; None for the server's own."""
