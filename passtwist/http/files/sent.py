"""Files that an app has sent for it: X-Sendfile and X-Accel-Redirect.

Runs in: the controller.

The app answers with a header in place of a body and is free at once; the file goes
out from here, with the app's own headers, with ranges and conditions as for any file.
Only what lies below the folders of the settings `sendfile` and `accel` is sent.  An
app without the setting speaks to a web server in front of us, if there is one that we
trust; otherwise to nobody, and its words are not for the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from passtwist.http.files.answer import FileAnswer, headers_of, send, validators_of
from passtwist.http.files.conditions import Validators
from passtwist.http.files.opening import NoFile, OpenFolder
from passtwist.http.files.paths import names_below
from passtwist.http.files.types import type_of
from passtwist.http.parsing.grammar import CRLF
from passtwist.http.refusal import Refusal
from passtwist.http.response_head import ACCEL, SENDFILE, CheckedHead

if TYPE_CHECKING:
    from passtwist.http.exchange import Exchange
    from passtwist.http.files.opening import OpenFile
    from passtwist.http.files.paths import Folder
    from passtwist.http.files.site import SiteFiles

_SETTINGS = {SENDFILE: "sendfile", ACCEL: "accel"}
# Conditions and ranges are for these (RFC 9110, 13 and 14.2).
_READING = (b"GET", b"HEAD")
# Of a whole file; an app that looked at Range itself says 206.
_WHOLE = (200, 206)
_OK = b"200 OK\r\n"
# What only who sends the file can say.
_OURS = (b"content-range", b"accept-ranges", b"content-length", b"date")


def hand_over(exchange: Exchange, checked: CheckedHead) -> CheckedHead | None:
    """An app has named a file, in the head *checked*.

    :returns: the head to go on with, or None when the response is dealt with: what
        the app still says of it is for nobody.
    """
    errand, files, connection = checked.errand, exchange.files, exchange.connection
    if errand is None or connection is None:
        return checked
    if files is not None and (files.accel if errand.kind == ACCEL else files.sendfile):
        _take_over(exchange, files, checked)
        return None
    # A length would be that of the file, which is not sent here.
    rest = CheckedHead(checked.status, checked.block)
    rest.has_date = checked.has_date
    rest.has_request_id = checked.has_request_id
    if connection.origin is not None and connection.origin.trusted:
        rest.block += errand.lines
        return rest
    name, setting = errand.kind.decode("ascii"), _SETTINGS[errand.kind]
    exchange.front.failure_log.report(
        exchange.app,
        exchange.request_id,
        checked.status,
        f"the app names a file in {name}, and its setting {setting} names no folder; "
        "the header was dropped",
    )
    return rest


def _take_over(exchange: Exchange, files: SiteFiles, checked: CheckedHead) -> None:
    # What else the app's session brings is for nobody; it may not be there yet.
    session, exchange.gone = exchange.session, True
    try:
        name, file = _find(files, checked)
    except NoFile as no_file:
        kind = checked.errand.kind.decode("ascii") if checked.errand else ""
        reason = f"{kind}: {no_file.reason or 'there is no such file'}"
        exchange.front.failure_log.report(
            exchange.app, exchange.request_id, no_file.status, reason
        )
        exchange.refuse(Refusal(no_file.status, reason, False))
    else:
        answer = _answer(checked, name, file)
        if exchange.head is None or exchange.head.line.method not in _READING:
            answer = answer._replace(validators=None)
        send(exchange, answer, headers_of(exchange), by=session)
    if session is not None:
        session.abandon()


def _find(files: SiteFiles, checked: CheckedHead) -> tuple[bytes, OpenFile]:
    """The name of the file and the file.

    :raises NoFile: it lies elsewhere, or is not there.
    """
    errand = checked.errand
    if errand is None:
        raise AssertionError("no file is named")
    if errand.kind == ACCEL:
        return _open(files, *_by_uri(files, errand.value))
    try:
        return _open(files, *_by_path(files, errand.value))
    except NoFile:
        # Header values hold no other letters than latin ones, so some escape
        # paths; others write them as they are, and those may hold a "%" too.
        decoded = unquote_to_bytes(errand.value)
        if decoded == errand.value:
            raise
        return _open(files, *_by_path(files, decoded))


def _open(
    files: SiteFiles, folder: Folder, names: list[bytes]
) -> tuple[bytes, OpenFile]:
    with OpenFolder(folder, names[:-1], files.readers) as here:
        return names[-1], here.open(names[-1])


def _by_path(files: SiteFiles, path: bytes) -> tuple[Folder, list[bytes]]:
    for folder in files.sendfile:
        names = folder.names_in(path)
        if names is not None:
            return folder, names
    raise NoFile("the file lies in none of the folders of the setting sendfile", 500)


def _by_uri(files: SiteFiles, uri: bytes) -> tuple[Folder, list[bytes]]:
    path = unquote_to_bytes(uri.partition(b"?")[0])
    for prefix, folder in files.accel:
        if path.startswith(prefix):
            names = names_below(path[len(prefix) :])
            if names is not None:
                return folder, names
    raise NoFile("the URI lies below none of those of the setting accel", 500)


def _answer(checked: CheckedHead, name: bytes, file: OpenFile) -> FileAnswer:
    """The app's headers, and what they lack."""
    status_line, *lines = checked.block[:-2].split(CRLF)
    said = {}
    kept = []
    for line in lines:
        key, _, value = line.partition(b":")
        key = key.lower()
        if key not in _OURS:
            said[key] = value.strip(b" \t")
            kept.append(line + CRLF)
    own = validators_of(file)
    validators = Validators(
        said.get(b"etag") or own.tag, said.get(b"last-modified") or own.modified
    )
    if b"etag" not in said:
        kept.append(b"ETag: %b\r\n" % own.tag)
    if b"last-modified" not in said:
        kept.append(b"Last-Modified: %b\r\n" % own.modified)
    rest = b"Accept-Ranges: bytes\r\n"
    if b"content-type" not in said:
        rest += type_of(name).line
    is_whole = checked.status in _WHOLE
    return FileAnswer(
        file,
        _OK if is_whole else status_line + CRLF,
        validators if is_whole else None,
        b"".join(kept),
        rest,
        checked.has_request_id,
    )
