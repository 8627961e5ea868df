"""The files of one site: those that are served without asking its app.

Runs in: the controller.

First come the paths of the setting `static`, the longest first: what is asked for
below one of them is a file or is not found, the app does not see it.  Then comes the
folder `public`, as Passenger has it: a file in it that the path names is served; for
a path that ends with a slash that is ``index.html``, and ``/about`` may be
``about.html``.  What is not there is the app's.  Folders are never listed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from passtwist.api.account_database import SystemAccounts
from passtwist.http.files.accepted_codings import codings_for
from passtwist.http.files.answer import FileAnswer, headers_of, send, validators_of
from passtwist.http.files.held import HeldFiles
from passtwist.http.files.opening import NoFile, OpenFolder, Readers
from passtwist.http.files.paths import Folder, names_of
from passtwist.http.files.types import type_of
from passtwist.http.pages.errors import DEVELOPMENT
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from passtwist.http.config import Site
    from passtwist.http.exchange import Exchange
    from passtwist.http.files.accepted_codings import Coding
    from passtwist.http.parsing.scanner import RequestHead

_OK = b"200 OK\r\n"
_ACCEPT = b"HTTP_ACCEPT_ENCODING"
_METHODS = (b"GET", b"HEAD")
_ALLOW = b"Allow: GET, HEAD\r\n"
_NOSNIFF = b"Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
_VARY = b"Vary: Accept-Encoding\r\n"
_ASK_EACH_TIME = b"Cache-Control: no-cache\r\n"
_FOR_EVER = b"Cache-Control: max-age=31536000, public, immutable\r\n"
# As Django's manifest storage names files by their content.  Not digits alone:
# those may be a time of day.
_is_named_by_content = re.compile(
    rb".*\.(?=[0-9]*[a-f])[0-9a-f]{12}\.[^.]+(?:\.map)?", re.DOTALL
).fullmatch


class SiteFiles:
    """Answers requests with files.

    :param script_name: where the site is mounted, b"" for the root.
    :ivar sendfile: folders of which the app may have files sent by their paths.
    :ivar accel: the same, by URIs that begin as told here.
    :ivar readers: whose files may be sent.
    """

    def __init__(self, site: Site, script_name: bytes) -> None:
        self._cut = len(script_name)
        self._maps = _maps(site.root, site.static)
        self._public = Folder(site.root, site.public) if site.public else None
        self._public_is_there = False
        self._cache_line = _cache_line(site)
        self._held = HeldFiles()
        # Who develops wants to see at once what was saved.
        self._keeps = site.environment != DEVELOPMENT
        self.sendfile = [Folder(site.root, folder) for folder in site.sendfile]
        self.accel = _maps(site.root, site.accel)
        user = SystemAccounts().user(site.user) if site.user else None
        self.readers = Readers(site.root, user.uid if user else None)

    def are_needed(self) -> bool:
        """Is there anything to look at before the app is asked, or after?

        To be asked once a second: until then, files that were sent are kept.
        """
        self._held.forget()
        if self._public is not None:
            prefix = os.fsdecode(self._public.prefix)
            self._public_is_there = os.path.isdir(prefix)
        return bool(self._public_is_there or self._maps or self.sendfile or self.accel)

    def check(self, head: RequestHead) -> None:
        """Look at a request before its body is read.

        :raises Refusal: it wants more than to read a file.
        """
        if head.line.method not in _METHODS:
            path = head.line.path[self._cut :]
            if any(path.startswith(prefix) for prefix, _ in self._maps):
                has_body = head.chunked or bool(head.content_length)
                raise Refusal(405, "a file can only be read", has_body, _ALLOW)

    def answer(self, exchange: Exchange) -> bool:
        """Answer a request if it is for a file.

        :returns: False when it is the app's.
        """
        head = exchange.head
        if head is None:
            return False
        path = head.line.path[self._cut :]
        if head.line.method not in _METHODS:
            return False
        if path in self._held and self._again(exchange, path):
            return True
        for prefix, folder in self._maps:
            if path.startswith(prefix):
                self._serve(exchange, folder, path, len(prefix) - 1)
                return True
        return self._public_is_there and self._serve_public(exchange, path)

    def _again(self, exchange: Exchange, path: bytes) -> bool:
        """Send what was sent a moment ago."""
        headers = headers_of(exchange)
        held = self._held.get(path, codings_for(headers.get(_ACCEPT, b"")))
        if held is None:
            return False
        send(exchange, held, headers)
        return True

    def _serve(self, exchange: Exchange, folder: Folder, path: bytes, cut: int) -> None:
        names = names_of(path[cut:])
        try:
            if names is None or not names[-1] or path in self._held.missing:
                raise NoFile
            self._send(exchange, folder, names, path)
        except NoFile as no_file:
            if self._keeps and not no_file.reason:
                self._held.miss(path)
            self._miss(exchange, no_file)

    def _serve_public(self, exchange: Exchange, path: bytes) -> bool:
        if path in self._held.missing:
            return False
        names, folder = names_of(path), self._public
        if names is None or folder is None:
            return False
        last = names[-1]
        for name in (last, last + b".html") if last else (b"index.html",):
            names[-1] = name
            # Most paths are no file; this is the cheapest way to see that.
            if not os.path.exists(folder.prefix + b"/".join(names)):
                continue
            try:
                self._send(exchange, folder, names, path)
            except NoFile as no_file:
                if not no_file.reason:
                    continue
                self._miss(exchange, no_file)
            return True
        if self._keeps:
            self._held.miss(path)
        return False

    def _send(
        self, exchange: Exchange, folder: Folder, names: list[bytes], path: bytes
    ) -> None:
        """:raises NoFile: there is none to be sent."""
        headers = headers_of(exchange)
        codings = codings_for(headers.get(_ACCEPT, b""))
        answer = self._find(folder, names, codings)
        if exchange.front.response_heads.added:
            answer = answer._replace(
                kept=answer.kept + exchange.front.response_heads.added
            )
        if self._keeps:
            answer = self._held.keep(path, codings, answer)
        send(exchange, answer, headers)

    def _find(
        self, folder: Folder, names: list[bytes], codings: tuple[Coding, ...]
    ) -> FileAnswer:
        """A file, open.

        :param codings: in which a compressed copy will do, too.
        :raises NoFile: there is none to be sent.
        """
        name = names[-1]
        kind = type_of(name)
        kept = lines = b""
        with OpenFolder(folder, names[:-1], self.readers) as here:
            file, suffix = here.open(name), b""
            if kind.compressible:
                kept = _VARY
                for coding in codings:
                    try:
                        copy = here.open(name + coding.suffix)
                    except NoFile:
                        continue
                    os.close(file.descriptor)
                    file, suffix = copy, coding.suffix
                    lines = b"Content-Encoding: %b\r\n" % coding.name
                    break
        validators = validators_of(file, suffix)
        if kind.is_page:
            kept += _ASK_EACH_TIME
        elif folder is not self._public and _is_named_by_content(name):
            kept += _FOR_EVER
        else:
            kept += self._cache_line
        kept += b"ETag: %b\r\nLast-Modified: %b\r\n" % validators
        lines += kind.line + _NOSNIFF
        return FileAnswer(file, _OK, validators, kept, lines)

    def _miss(self, exchange: Exchange, no_file: NoFile) -> None:
        reason = no_file.reason or "there is no such file"
        if no_file.reason:
            exchange.front.failure_log.report(
                exchange.app, exchange.request_id, no_file.status, reason
            )
        exchange.front.counters.refused += 1
        exchange.refuse(Refusal(no_file.status, reason, False))


def _maps(root: str, table: tuple[tuple[str, str], ...]) -> list[tuple[bytes, Folder]]:
    """Beginnings of paths and their folders, the longest first."""
    maps = [
        (prefix.rstrip("/").encode("utf-8") + b"/", Folder(root, folder))
        for prefix, folder in table
    ]
    return sorted(maps, key=lambda one: len(one[0]), reverse=True)


def _cache_line(site: Site) -> bytes:
    seconds = 0 if site.environment == DEVELOPMENT else int(site.static_max_age)
    if not seconds:
        return _ASK_EACH_TIME
    return b"Cache-Control: max-age=%d, public\r\n" % seconds
