"""Where a request ends and whether another may follow: the risky headers.

Runs in: the controller.  Sans I/O.

All that request smuggling lives on is decided here: Content-Length,
Transfer-Encoding, Connection, Expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.parsing.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TRANSFER_ENCODING,
    UPGRADE,
    cgi_key,
)
from passtwist.http.parsing.grammar import is_token
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passtwist.http.parsing.fields import Field
    from passtwist.http.parsing.scanner import RequestHead

# A client may say that a header is meant for this hop only.  Not these: taking
# away what a proxy has added is an attack.
_PROTECTED = frozenset(
    cgi_key(name)
    for name in (
        b"authorization",
        b"content-length",
        b"content-type",
        b"cookie",
        b"forwarded",
        b"host",
        b"x-real-ip",
        b"x-request-id",
    )
)


# Not to be upgraded to.
_NEVER = frozenset((b"http", b"h2", b"h2c", b"h3", b"tls"))


def apply_framing(head: RequestHead, fields: Iterable[Field]) -> None:
    """Read the framing headers among *fields* into *head*.

    :raises Refusal: 400, 413, 417 or 501.
    """
    length: bytes | None = None
    codings: list[bytes] | None = None
    upgrade: list[bytes] = []
    for kind, (_, value), elements in fields:
        if kind == CONNECTION:
            head.connection += elements
        elif kind == CONTENT_LENGTH:
            if length is not None:
                raise Refusal(400, "more than one Content-Length")
            length = value
        elif kind == TRANSFER_ENCODING:
            codings = [*(codings or ()), *elements]
        elif kind == UPGRADE:
            upgrade += elements
        elif kind == EXPECT and head.http11:
            if value.lower() != b"100-continue":
                raise Refusal(417, "an expectation other than 100-continue")
            head.expects_continue = True
    if codings is not None:
        if length is not None:
            raise Refusal(400, "both Content-Length and Transfer-Encoding")
        if not head.http11:
            raise Refusal(400, "Transfer-Encoding in HTTP/1.0")
        check_codings(codings)
        head.chunked = True
    elif length is not None:
        head.content_length = parse_content_length(length)
    if head.connection:
        if upgrade and b"upgrade" in head.connection:
            _apply_upgrade(head, upgrade)
        _apply_connection(head)


def parse_content_length(value: bytes) -> int:
    """The number in *value*.

    :raises Refusal: 400 when it is none, 413 beyond 63 bits.
    """
    # bytes.isdigit knows ASCII only.  The length is looked at first: int() of
    # thousands of digits raises, or takes its time.
    if not value.isdigit():
        raise Refusal(400, "Content-Length is not a number")
    digits = value.lstrip(b"0")
    if len(digits) > 19 or int(digits or b"0") >= 1 << 63:
        raise Refusal(413, "Content-Length is beyond any limit")
    return int(digits or b"0")


def check_codings(codings: list[bytes]) -> None:
    """Accept ``chunked`` alone.

    :raises Refusal: 400 for what is malformed or ends in no known place, 501
        for codings that are not spoken here.
    """
    if codings == [b"chunked"]:
        return
    names = [coding.partition(b";")[0].rstrip(b" \t") for coding in codings]
    if not all(map(is_token, names)) or b"chunked" in names[:-1]:
        raise Refusal(400, "Transfer-Encoding is malformed")
    if codings[-1] != b"chunked" and names[-1] == b"chunked":
        raise Refusal(400, "chunked has no parameters")
    raise Refusal(501, "a transfer coding other than chunked")


def _apply_upgrade(head: RequestHead, protocols: list[bytes]) -> None:
    """Only in HTTP/1.1, and not with a body: where would that end?

    Never to what is HTTP again, or TLS: requests would come through the tunnel that
    nobody has checked.
    """
    if head.http11 and not head.chunked and not head.content_length:
        head.upgrade = tuple(
            protocol
            for protocol in protocols
            if (name := protocol.partition(b"/")[0]) not in _NEVER and is_token(name)
        )


def _apply_connection(head: RequestHead) -> None:
    connection = head.connection
    if b"close" in connection:
        head.keep_alive = False
    elif not head.http11:
        head.keep_alive = b"keep-alive" in connection
    if len(connection) == 1 and connection[0] in (b"keep-alive", b"close"):
        return
    nominated = {cgi_key(name) for name in connection} - _PROTECTED
    pairs = head.pairs
    if nominated.isdisjoint(pairs[::2]):
        return
    kept: list[bytes] = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if key not in nominated or key.startswith(b"HTTP_X_FORWARDED_"):
            kept += (key, value)
    head.pairs = kept
