"""Error pages from a folder of the operator's: the setting `error_pages`.

Runs in: the controller.

`503.html` is for one status, `5xx.html` for all others of its hundred.  The
files are read when the server starts and when its settings are reloaded, never
for a request.  They are the operator's, not an app's: they may say anything.
"""

from __future__ import annotations

import os
import re
import stat
from html import escape
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IErrorPage
from passtwist.errors import SettingsError

if TYPE_CHECKING:
    from passtwist.api.error_page import ErrorFacts

MAX_PAGE = 1 << 20
_NAME = re.compile(r"[45](?:[0-9]{2}|xx)\.html")
_PLACE = re.compile(rb"\{\{ ?(status|title|request_id|error_id|app) ?\}\}")


@implementer(IErrorPage)
class Folder:
    """The pages of one folder.

    :raises SettingsError: they can't be read, or there are none.
    """

    name = "error-pages"
    description = "error pages from the folder of the setting error_pages"

    def __init__(self, folder: str) -> None:
        try:
            names = sorted(filter(_NAME.fullmatch, os.listdir(folder)))
            self._pages = {
                name.removesuffix(".html"): _read(os.path.join(folder, name))
                for name in names
            }
        except OSError as error:
            raise _wrong(
                f"{error.filename}: {error.strerror}; write the path of a folder whose "
                "files the server's user can read"
            ) from error
        if not names:
            raise _wrong(
                f"{folder} has no page; name them 503.html, or 5xx.html for all of a "
                "hundred"
            )

    def page(self, facts: ErrorFacts) -> bytes | None:
        """As `IErrorPage.page`."""
        if facts.wants_json:
            return None
        status = str(facts.status)
        template = self._pages.get(status) or self._pages.get(f"{status[0]}xx")
        if template is None:
            return None

        def fill(place: re.Match[bytes]) -> bytes:
            fact = str(getattr(facts, place[1].decode("ascii")))
            return escape(fact).encode("utf-8", "replace")

        return _PLACE.sub(fill, template)


def _read(path: str) -> bytes:
    # To open a FIFO would stop the server until somebody writes.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _wrong(f"{path} is no regular file; put one there, or remove it")
    with open(path, "rb") as file:
        page = file.read(MAX_PAGE + 1)
    if len(page) > MAX_PAGE:
        raise _wrong(f"{path} is larger than {MAX_PAGE} bytes; make it smaller")
    return page


def _wrong(what: str) -> SettingsError:
    return SettingsError([f"[server]: error_pages: {what}"])


@hookimpl
def passtwist_error_page(error_pages: str) -> IErrorPage | None:
    """Pages, if there is a folder for them."""
    return Folder(error_pages) if error_pages else None
