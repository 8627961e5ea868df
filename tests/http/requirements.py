"""What is right on the wire, row by row: the one place where R17 is to be found.

Runs in: tests.

REQUIREMENTS and RULINGS say what the front end does, CASES show it by bytes: what
a client sends, which statuses come back, what reaches the app, and whether another
request may follow.  Each case is run by `tests/http/test_requirements.py`, split at
every byte and on real sockets, with a marker request behind it.  What can't be seen
in such an exchange is shown by the tests that ELSEWHERE names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from passtwist.testing.fakes import FakeSession

REQUIREMENTS = {
    "R01": "A method is a token; others are 400.  `get` is passed on as it is.",
    "R02": "Method, target and version stand between single spaces; else 400.",
    "R03": "HTTP/1.2 and later are read as 1.1, 2.0 is 505, 0.9 and others are 400.",
    "R04": "One empty line before a request is forgiven, two are 400.",
    "R05": "A CR that does not end a line is 400, wherever it is.",
    "R06": "A LF without a CR ends no line and is 400.",
    "R07": "White space before the first header is 400.",
    "R08": "White space between a header's name and the colon is 400.",
    "R09": "A header has a colon and a name that is a token; else 400.",
    "R10": "Control characters but HTAB are 400; 0x80 to 0xFF are latin-1.",
    "R11": "A folded header line is 400.",
    "R12": "HTTP/1.1 has one Host, a host and maybe a port; else 400.",
    "R13": "In an absolute target the authority counts, whatever Host says.",
    "R14": "CONNECT is 501; `*` is for OPTIONS; other targets begin with a slash.",
    "R15": "A target with a fragment is 400.",
    "R16": "A target of 8000 bytes is read; a line beyond the limit is 414.",
    "R17": "Too many headers, too long ones, or too much of them are 431.",
    "R18": "Content-Length is digits, else 400; beyond 63 bits it is 413.",
    "R19": "A second Content-Length is 400, the same number too.",
    "R20": "Content-Length beside Transfer-Encoding is 400 and closes.",
    "R21": "A known coding behind which chunked does not come last is refused.",
    "R22": "A coding other than chunked is 501, a malformed list is 400.",
    "R23": "Transfer-Encoding in HTTP/1.0 is 400.",
    "R24": "chunked twice is 400.",
    "R25": "A chunk's size is 1 to 16 hexadecimal digits; beyond the limit it is 413.",
    "R26": "Chunk extensions are read strictly, limited, and dropped.",
    "R27": "A chunk's data ends with CRLF; else 400.",
    "R28": "Trailers are checked, limited to 8 KiB, and reach no app.",
    "R29": "A body that breaks off reaches no app.",
    "R30": "100 Continue comes once, after the checks; other expectations are 417.",
    "R31": "Connection is a list over all its lines, in any case.",
    "R32": "HTTP/1.0 keeps the connection if it asks for that.",
    "R33": "Pipelined requests are answered in their order, one at a time.",
    "R34": "A refused client can read why: our side closes first, theirs drains.",
    "R35": "The answer to HEAD has the headers of GET's and no body.",
    "R36": "1xx, 204 and 304 have neither a body nor framing.",
    "R37": "HTTP/1.0 gets no chunks.",
    "R38": "Every final response has a Date, our own errors too.",
    "R39": "Our own 405 has Allow, 416 Content-Range; we make no 401 and no 426.",
    "R40": "Headers for one hop end here; Connection can't take away what matters.",
    "R41": "A request that was begun is never run again.",
    "R42": "502 for a dead worker, 504 for time over, 503 with Retry-After if full.",
    "R43": "What an app can't say in a header makes its response a 500.",
    "R44": "More body than its Content-Length is cut, less ends the connection.",
    "R45": "408 if a request has begun and does not come; else the end is silent.",
    "R46": "Early hints come before the response, and only if they are well-formed.",
    "R47": "An upgrade that no worker grants ends the connection; h2c is ignored.",
    "R48": "A path is decoded once, keeps its dots and slashes, and holds no NUL.",
}

# Where servers differ; docs/explanation/strict-requests.md says what others do.
RULINGS = {
    "length-and-coding": "Content-Length and Transfer-Encoding: 400 and close.",
    "gzip-chunked": "Transfer-Encoding: gzip, chunked is 501.",
    "identity": "Transfer-Encoding: identity is 501.",
    "coding-in-1.0": "Transfer-Encoding in HTTP/1.0 is 400.",
    "equal-lengths": "Two equal Content-Lengths are 400.",
    "no-host": "HTTP/1.1 without Host is 400.",
    "underscore": "X_Foo is dropped and counted: an app would take it for X-Foo.",
    "non-ascii-target": "Bytes beyond ASCII in a target are 400.",
    "odd-target": 'Any of "<>\\^{}|` in a target is passed on unchanged.',
    "bare-lf": "A bare LF is 400.",
    "idle": "An idle connection ends silently; a request half sent is 408.",
    "path-info": "PATH_INFO is decoded, as PEP 3333 has it.",
}

ELSEWHERE = {
    "R30": [
        (
            "http/test_connection.py::"
            "test_continue_is_sent_once_and_only_when_the_body_is_wanted"
        )
    ],
    "R34": [
        "http/test_requirements.py::test_on_a_socket",
        "http/test_sockets.py::test_a_client_that_is_refused_a_large_upload_can_read_why",
        "http/test_tls.py::test_a_refused_upload_gets_its_error_over_tls",
    ],
    "R39": [
        "http/test_static.py::test_only_reading_is_allowed",
        "http/test_static.py::test_a_part_is_sent_as_such",
        "admin/test_server.py::test_the_wrong_method_is_refused",
    ],
    "R41": [
        "service/test_retry.py::test_a_begun_request_gets_no_second_victim",
        "service/test_gateway.py::test_a_request_that_was_not_begun_goes_to_another_worker",
    ],
    "R42": [
        "service/test_retry.py::test_a_begun_request_gets_no_second_victim",
        "integration/test_time_limits.py::test_a_request_that_takes_too_long_is_answered_504_and_its_worker_ended",
        "integration/test_pool.py::test_a_full_queue_is_answered_503_at_once",
    ],
    "R45": [
        "http/test_deadlines.py::test_a_head_that_drips_is_408_in_the_end",
        "http/test_deadlines.py::test_an_idle_connection_is_closed_silently",
    ],
    "R47": [
        "http/test_upgrade.py::test_an_upgrade_is_granted_in_the_words_of_the_app",
        "http/test_upgrade.py::test_what_follows_a_wish_that_was_not_granted_is_no_request",
    ],
    "R48": ["http/test_static.py::test_what_is_no_file_there_is_not_found"],
    "idle": [
        "http/test_deadlines.py::test_a_connection_that_says_nothing_is_closed_silently",
        "http/test_deadlines.py::test_a_head_that_drips_is_408_in_the_end",
    ],
}

# What h11 makes of the same bytes.
AGREES = "reads the same, or refuses as we do"
LENIENT = "accepts what we refuse"
STRICT = "refuses what we accept"


@dataclass(frozen=True)
class Case:
    """One exchange.

    :ivar rows: of the tables above.
    :ivar about: tells it from the others of its rows.
    :ivar statuses: of the final responses, in order.
    :ivar seen: ``METHOD target body`` of all that reaches an app.
    :ivar open: another request may follow.
    :ivar finished: nothing more of it is to come.
    :ivar h11: one of the three above; what it has no opinion on is AGREES.
    :ivar environ: of the last request; None for what must not be there.
    :ivar says: in what comes back.
    :ivar never: not in what comes back.
    :ivar answer: the app.
    :ivar limits: other than the usual, as in `HttpLimits`.
    :ivar max_body: of the app, in bytes.
    """

    rows: tuple[str, ...]
    about: str
    sent: bytes
    statuses: tuple[int, ...]
    seen: tuple[bytes, ...] = ()
    open: bool = False
    finished: bool = True
    h11: str = AGREES
    environ: Mapping[str, str | None] = field(default_factory=dict)
    says: tuple[bytes, ...] = ()
    never: tuple[bytes, ...] = ()
    answer: Callable[[FakeSession], object] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    max_body: int = 1 << 20

    @property
    def name(self) -> str:
        """For pytest."""
        return f"{'+'.join(self.rows)}: {self.about}"


def request(
    line: bytes = b"GET / HTTP/1.1", *headers: bytes, body: bytes = b""
) -> bytes:
    """A request with a Host, if there is none among *headers*."""
    if not any(header.lower().startswith(b"host") for header in headers):
        headers = (b"Host: a", *headers)
    return b"\r\n".join((line, *headers, b"", body))


def post(*headers: bytes, body: bytes = b"") -> bytes:
    """A POST with a Host and *headers*."""
    return request(b"POST / HTTP/1.1", *headers, body=body)


def chunked(body: bytes, *headers: bytes) -> bytes:
    """A POST with a body as it comes in chunks."""
    return post(b"Transfer-Encoding: chunked", *headers, body=body)


def refused(
    rows: str, status: int, about: str, sent: bytes, h11: str = AGREES, **more: object
) -> Case:
    """One request that reaches no app, and ends the connection."""
    return Case(tuple(rows.split()), about, sent, (status,), h11=h11, **more)  # type: ignore[arg-type]  # fields of Case


def accepted(
    rows: str,
    about: str,
    sent: bytes,
    *seen: bytes,
    status: int = 200,
    open: bool = True,  # noqa: A002 - the field's name
    **more: object,
) -> Case:
    """Requests that reach the app, and are answered."""
    statuses = (status,) * len(seen)
    return Case(tuple(rows.split()), about, sent, statuses, seen, open, **more)  # type: ignore[arg-type]  # fields of Case


def unfinished(rows: str, about: str, sent: bytes, **more: object) -> Case:
    """The client goes away in the midst of it."""
    return Case(tuple(rows.split()), about, sent, (), finished=False, **more)  # type: ignore[arg-type]  # fields of Case


# --- what apps do ------------------------------------------------------------------


def says(head: bytes, body: bytes = b"ok") -> Callable[[FakeSession], object]:
    """An app that answers in one piece."""
    return lambda session: session.responder.answer(head, body)


def streams(head: bytes, *pieces: bytes) -> Callable[[FakeSession], object]:
    """An app that answers in several."""

    def answer(session: FakeSession) -> None:
        session.responder.begin(head)
        for piece in pieces:
            session.responder.write(piece)
        session.responder.finish()

    return answer


def hints(*blocks: bytes) -> Callable[[FakeSession], object]:
    """An app that sends interim responses first."""

    def answer(session: FakeSession) -> None:
        for block in blocks:
            session.responder.interim(block)
        session.responder.answer(b"200 OK\r\n", b"ok")

    return answer


# --- the cases ---------------------------------------------------------------------


def first_lines() -> Iterator[Case]:
    for line in (b"G@T", b"G(T", b"", b"G\xc3\x89T", b'"GET"', b"GET:"):
        yield refused("R01", 400, f"{line!r}", request(line + b" / HTTP/1.1"))
    for method in (b"get", b"Get", b"PROPFIND", b"M-SEARCH", b"!#$%&'*+-.^_`|~9"):
        yield accepted(
            "R01",
            f"{method!r} is a method",
            request(method + b" / HTTP/1.1"),
            method + b" / ",
            environ={"REQUEST_METHOD": method.decode()},
        )
    for line in (
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET /\tHTTP/1.1",
        b"GET /\x0bHTTP/1.1",
        b"GET /\x0cHTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/1.1\t",
        b" GET / HTTP/1.1",
        b"GET / a HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET",
    ):
        yield refused("R02", 400, f"{line!r}", request(line))
    for version in (
        b"http/1.1",
        b"HTTP/1",
        b"HTTP/1.10",
        b"HTTP/01.1",
        b"HTTP/0.9",
        b"HTTP/+1.1",
        b"HTTP/1,1",
        b"HTTP/1.x",
        b"HTTP/\xb2.0",
        b"XTTP/1.1",
        b"HTTP 1.1",
    ):
        h11 = LENIENT if version == b"HTTP/0.9" else AGREES
        yield refused("R03", 400, f"{version!r}", request(b"GET / " + version), h11)
    yield refused("R03", 400, "HTTP/0.9 without a version", b"GET /\r\n\r\n")
    for version in (b"HTTP/2.0", b"HTTP/3.1", b"HTTP/9.9"):
        yield refused(
            "R03", 505, f"{version!r}", request(b"GET / " + version), h11=LENIENT
        )
    yield refused(
        "R03",
        505,
        "the preface of HTTP/2",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        LENIENT,
    )
    for version in (b"HTTP/1.2", b"HTTP/1.9"):
        yield accepted(
            "R03",
            f"{version!r}",
            request(b"GET / " + version),
            b"GET / ",
            environ={"SERVER_PROTOCOL": "HTTP/1.1"},
        )
    yield accepted("R04", "one empty line", b"\r\n" + request(), b"GET / ")
    yield accepted(
        "R04",
        "one between two requests",
        post(b"Content-Length: 1", body=b"x") + b"\r\n" + request(),
        b"POST / x",
        b"GET / ",
    )
    yield refused("R04", 400, "two empty lines", b"\r\n\r\n" + request())
    yield refused("R04", 400, "three", b"\r\n\r\n\r\n" + request())
    yield refused("R04 R06", 400, "an empty line without CR", b"\n" + request())
    yield refused("R04 R05", 400, "an empty line without LF", b"\r" + request())


def line_ends() -> Iterator[Case]:
    yield refused("R05", 400, "in the target", request(b"GET /\r HTTP/1.1"))
    yield refused("R05", 400, "in the method", request(b"GE\rT / HTTP/1.1"))
    yield refused("R05", 400, "in a value", request(b"GET / HTTP/1.1", b"X: a\rb"))
    yield refused("R05", 400, "before CRLF", request(b"GET / HTTP/1.1", b"X: a\r"))
    yield refused("R05", 400, "in a name", request(b"GET / HTTP/1.1", b"X\rY: a"))
    yield refused(
        "R05", 400, "for all line ends", b"GET / HTTP/1.1\rHost: a\r\rX: y\r\n\r\n"
    )
    yield refused(
        "R05", 400, "hiding a header", post(b"X: a\rTransfer-Encoding: chunked")
    )
    for about, sent in (
        ("behind the first line", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
        ("behind a header", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        ("for all line ends", b"GET / HTTP/1.1\nHost: a\n\n"),
        ("for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
        ("between two CRs", b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
    ):
        h11 = AGREES if "CRs" in about else LENIENT
        yield refused("R06 bare-lf", 400, about, sent, h11=h11)
    yield refused(
        "R06 bare-lf",
        400,
        "hiding a header",
        post(b"X: a\nTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
        h11=LENIENT,
    )


def header_lines() -> Iterator[Case]:
    for sent in (
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
    ):
        yield refused("R07", 400, f"{sent[16:24]!r}", sent)
    for line in (b"X : y", b"X\t: y", b"Content-Length : 5", b"Host : a"):
        yield refused("R08", 400, f"{line!r}", request(b"GET / HTTP/1.1", line))
    yield refused(
        "R08", 400, "Transfer-Encoding", chunked(b"0\r\n\r\n").replace(b"g:", b"g :")
    )
    for line in (b": y", b"X", b"X(y: z", b"X y: z", b"X\xe9: z", b"X;y", b'"X": y'):
        yield refused("R09", 400, f"{line!r}", request(b"GET / HTTP/1.1", line))
    for code in (0, 1, 7, 8, 11, 12, 14, 27, 31, 127):
        yield refused(
            "R10",
            400,
            f"0x{code:02x} in a value",
            request(b"GET / HTTP/1.1", b"X: a%cb" % code),
            h11=AGREES if code in (0, 11, 12) else LENIENT,
        )
        yield refused(
            "R10 R01",
            400,
            f"0x{code:02x} in the first line",
            request(b"GET /%c HTTP/1.1" % code),
        )
    yield accepted(
        "R10",
        "HTAB and obs-text",
        request(b"GET / HTTP/1.1", b"X: \t caf\xe9\t\xff a \t"),
        b"GET / ",
        environ={"HTTP_X": "caf\xe9\t\xff a"},
    )
    yield refused(
        "R11", 400, "a space", request(b"GET / HTTP/1.1", b"X: a", b" b"), h11=LENIENT
    )
    yield refused(
        "R11", 400, "a tab", request(b"GET / HTTP/1.1", b"X: a", b"\tb"), h11=LENIENT
    )
    yield refused(
        "R11",
        400,
        "an empty one",
        request(b"GET / HTTP/1.1", b"X: a", b" "),
        h11=LENIENT,
    )
    yield refused(
        "R11",
        400,
        "a coding",
        post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
        h11=LENIENT,
    )
    yield refused(
        "R11",
        400,
        "a length",
        post(b"Content-Length:", b" 5", body=b"hello"),
        h11=LENIENT,
    )


def hosts() -> Iterator[Case]:
    yield refused("R12 no-host", 400, "no header at all", b"GET / HTTP/1.1\r\n\r\n")
    yield refused(
        "R12 no-host", 400, "other headers", b"GET / HTTP/1.1\r\nX: y\r\n\r\n"
    )
    yield refused(
        "R12 no-host", 400, "absolute target", b"GET http://a/ HTTP/1.1\r\n\r\n"
    )
    yield accepted(
        "R12",
        "HTTP/1.0 may lack it",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / ",
        open=False,
        environ={"HTTP_HOST": None, "SERVER_PROTOCOL": "HTTP/1.0"},
    )
    for line in (b"GET / HTTP/1.1", b"GET / HTTP/1.0"):
        for second in (b"Host: a", b"hOST: b"):
            yield refused(
                "R12",
                400,
                f"{second!r} beside Host: a in {line[-3:].decode()}",
                request(line, b"Host: a", second),
            )
    for host in (
        b"",
        b"user@a",
        b"a/b",
        b"a,b",
        b"a, a",
        b"a b",
        b"a:b",
        b"a:99999",
        b"a:-1",
        b"a:1:2",
        b"[::1",
        b"[::g]",
        b"[:::]",
        b"[v1.a]",
        b"::1",
        b"http://a",
        b"a?b",
        b"a#b",
        b"a\\b",
        b"a\tb",
        b'a"b',
        b"\xe9",
        b"a%zz",
        b"a%",
        b":80",
        b"<script>",
    ):
        yield refused(
            "R12",
            400,
            f"Host: {host!r}",
            request(b"GET / HTTP/1.1", b"Host: " + host),
            h11=LENIENT,
        )
    for host in (
        b"a",
        b"a.",
        b"a:",
        b"a:80",
        b"127.0.0.1:8080",
        b"[::1]",
        b"[2001:db8::1]:443",
        b"my_service",
        b"a-b.c~d",
        b"xn--caf-dma.example",
        b"a%41",
    ):
        yield accepted(
            "R12",
            f"Host: {host!r} is one",
            request(b"GET / HTTP/1.1", b"Host:" + host + b"\t"),
            b"GET / ",
            environ={"HTTP_HOST": host.decode()},
        )


def targets() -> Iterator[Case]:
    for target, host, uri in (
        (b"http://b/x?y", "b", "/x?y"),
        (b"HTTPS://B:1/x", "B:1", "/x"),
        (b"http://b", "b", "/"),
        (b"http://b?y", "b", "/?y"),
        (b"http://[::1]/", "[::1]", "/"),
    ):
        yield accepted(
            "R13",
            f"{target!r}",
            request(b"GET " + target + b" HTTP/1.1"),
            b"GET " + target + b" ",
            environ={"HTTP_HOST": host, "REQUEST_URI": uri},
        )
    for target in (b"ftp://a/", b"http://u@a/", b"http:///", b"http:a", b"http://a b/"):
        yield refused(
            "R13",
            400,
            f"{target!r}",
            request(b"GET " + target + b" HTTP/1.1"),
            h11=AGREES if b" " in target else LENIENT,
        )
    for line in (b"CONNECT a:443 HTTP/1.1", b"CONNECT / HTTP/1.1"):
        yield refused("R14", 501, f"{line!r}", request(line), h11=LENIENT)
    for line in (
        b"GET * HTTP/1.1",
        b"GET a:443 HTTP/1.1",
        b"GET foo HTTP/1.1",
        b"GET ../x HTTP/1.1",
        b"OPTIONS *a HTTP/1.1",
        b"GET ?x HTTP/1.1",
    ):
        yield refused("R14", 400, f"{line!r}", request(line), h11=LENIENT)
    yield accepted(
        "R14",
        "OPTIONS for the server as a whole",
        request(b"OPTIONS * HTTP/1.1"),
        b"OPTIONS * ",
        environ={"PATH_INFO": "*"},
    )
    for target in (b"/a#b", b"/#", b"http://a/#b", b"#"):
        yield refused(
            "R15",
            400,
            f"{target!r}",
            request(b"GET " + target + b" HTTP/1.1"),
            h11=LENIENT,
        )
    for target in (b"/caf\xc3\xa9", b"/\xff", b"/?\x80"):
        yield refused(
            "R48 non-ascii-target",
            400,
            f"{target!r}",
            request(b"GET " + target + b" HTTP/1.1"),
        )
    odd = b"/\"<>\\^{}|`'[]"
    yield accepted(
        "R48 odd-target",
        "characters that clients forget to escape",
        request(b"GET " + odd + b" HTTP/1.1"),
        b"GET " + odd + b" ",
        environ={"PATH_INFO": odd.decode(), "REQUEST_URI": odd.decode()},
    )
    yield accepted(
        "R48 path-info",
        "decoded once",
        request(b"GET /%2525/%zz/%e9%2F%0a?%41 HTTP/1.1"),
        b"GET /%2525/%zz/%e9%2F%0a?%41 ",
        environ={
            "PATH_INFO": "/%25/%zz/\xe9/\n",
            "QUERY_STRING": "%41",
            "REQUEST_URI": "/%2525/%zz/%e9%2F%0a?%41",
        },
    )
    yield accepted(
        "R48",
        "neither dots nor slashes are removed",
        request(b"GET //a/./../b//%2e%2e/ HTTP/1.1"),
        b"GET //a/./../b//%2e%2e/ ",
        environ={"PATH_INFO": "//a/./../b//../"},
    )
    yield refused("R48", 400, "a NUL", request(b"GET /a%00b HTTP/1.1"), h11=LENIENT)


SMALL = {
    "max_request_line": 40,
    "max_header_fields": 3,
    "max_header_field": 30,
    "max_header_bytes": 70,
    "max_chunk_line": 40,
    "max_chunk_extensions": 60,
    "max_trailers": 50,
}


def sizes() -> Iterator[Case]:
    long = b"/" + b"x" * 8000
    yield accepted(
        "R16",
        "8000 bytes",
        request(b"GET " + long + b" HTTP/1.1"),
        b"GET " + long + b" ",
    )
    yield refused(
        "R16",
        414,
        "a line that never ends",
        b"GET /" + b"x" * 60,
        limits=SMALL,
    )
    long = b"/" + b"x" * 26
    yield accepted(
        "R16",
        "as long as may be",
        request(b"GET " + long + b" HTTP/1.1"),
        b"GET " + long + b" ",
        limits=SMALL,
    )
    yield refused(
        "R16",
        414,
        "a byte more",
        request(b"GET " + long + b"x HTTP/1.1"),
        limits=SMALL,
        h11=LENIENT,
    )
    get = b"GET / HTTP/1.1"
    yield accepted(
        "R17", "three headers", request(get, b"A: 1", b"B: 2"), b"GET / ", limits=SMALL
    )
    yield accepted(
        "R17",
        "a long header",
        request(get, b"A: " + b"x" * 27),
        b"GET / ",
        limits=SMALL,
        environ={"HTTP_A": "x" * 27},
    )
    for about, sent in (
        ("four headers", request(get, b"A: 1", b"B: 2", b"C: 3")),
        ("a longer header", request(get, b"A: " + b"x" * 28)),
        ("too much in all", request(get, b"A: " + b"x" * 27, b"B: " + b"x" * 27)),
    ):
        yield refused("R17", 431, about, sent, limits=SMALL, h11=LENIENT)
    yield refused(
        "R17",
        431,
        "headers that never end",
        get + b"\r\nA: " + b"x" * 80,
        limits=SMALL,
    )


def lengths() -> Iterator[Case]:
    for value in (
        b"",
        b"+1",
        b"-0",
        b"-1",
        b"0x5",
        b"1_0",
        b"1 0",
        b"5,5",
        b"5, 5",
        b"5;",
        b"5.0",
        b"5e0",
        b"five",
        b'"5"',
        b"\xb2",
        b"5\xa0",
        b",",
    ):
        yield refused(
            "R18",
            400,
            f"Content-Length: {value!r}",
            post(b"Content-Length: " + value, body=b"hello"),
            h11=LENIENT if value in (b"5,5", b"5, 5") else AGREES,
        )
    for value in (b"9223372036854775808", b"9" * 20, b"9" * 4310):
        yield refused(
            "R18",
            413,
            f"{len(value)} digits",
            post(b"Content-Length: " + value, body=b"hello"),
        )
    yield refused(
        "R18",
        400,
        "thousands of digits and a letter",
        post(b"Content-Length: " + b"9" * 4310 + b"x", body=b"hello"),
    )
    yield refused(
        "R18",
        413,
        "more than the app allows",
        post(b"Content-Length: 11", body=b"hello"),
        max_body=10,
    )
    for value in (b"5", b"05", b"0" * 18 + b"5", b"0" * 40 + b"5", b"\t5 \t"):
        yield accepted(
            "R18",
            f"Content-Length: {value!r} is 5",
            post(b"Content-Length: " + value, body=b"hello"),
            b"POST / hello",
            environ={"CONTENT_LENGTH": "5"},
            h11=STRICT if len(value) > 20 else AGREES,
        )
    yield accepted(
        "R18",
        "nothing is a body, too",
        post(b"Content-Length: 0"),
        b"POST / ",
        environ={"CONTENT_LENGTH": "0"},
    )
    yield accepted(
        "R18",
        "GET with a body",
        request(b"GET / HTTP/1.1", b"Content-Length: 5", body=b"hello"),
        b"GET / hello",
    )
    for values in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b"05")):
        yield refused(
            "R19 equal-lengths",
            400,
            f"{values!r}",
            post(
                b"Content-Length: " + values[0],
                b"content-length: " + values[1],
                body=b"hello",
            ),
            h11=LENIENT if values[0] == values[1] else AGREES,
        )


def codings() -> Iterator[Case]:
    end = b"0\r\n\r\n"
    both = b"Content-Length: 5", b"Transfer-Encoding: chunked"
    for headers in (both, both[::-1]):
        yield refused(
            "R20 length-and-coding",
            400,
            f"{headers[0]!r} first",
            post(*headers, body=end),
            h11=LENIENT,
        )
    yield refused(
        "R20",
        400,
        "with an unknown coding",
        post(b"Transfer-Encoding: gzip", b"Content-Length: 5", body=b"hello"),
    )
    yield refused(
        "R20 identity",
        400,
        "with identity",
        post(b"Content-Length: 5", b"Transfer-Encoding: identity", body=b"hello"),
    )
    for row, status, values in (
        ("R21", 400, (b"chunked, gzip",)),
        ("R21", 400, (b"chunked", b"gzip")),
        ("R21", 400, (b"chunked, identity",)),
        ("R22 gzip-chunked", 501, (b"gzip, chunked",)),
        ("R22", 501, (b"gzip", b"chunked")),
        ("R22 identity", 501, (b"identity",)),
        ("R22", 501, (b"xchunked",)),
        ("R22", 501, (b"cow",)),
        ("R22", 501, (b"gzip;q=1, chunked",)),
        ("R22", 400, (b"",)),
        ("R22", 400, (b",chunked",)),
        ("R22", 400, (b"chunked,",)),
        ("R22", 400, (b"chunked;a=b",)),
        ("R22", 400, (b"chu nked",)),
        ("R22", 400, (b'"chunked"',)),
        ("R22", 400, (b"'chunked' x",)),
        ("R22", 400, (b"chunked\xa0",)),
        ("R22", 400, (b"\xc3chunked",)),
        ("R22 R10", 400, (b"chunked\x0b",)),
        ("R22 R10", 400, (b"\x0bchunked",)),
        ("R24", 400, (b"chunked, chunked",)),
        ("R24", 400, (b"chunked", b"chunked")),
    ):
        yield refused(
            row,
            status,
            f"{values!r}",
            post(*(b"Transfer-Encoding: " + value for value in values), body=end),
        )
    for value in (b"chunked", b"identity", b"gzip"):
        yield refused(
            "R23 coding-in-1.0",
            400,
            f"{value!r}",
            request(
                b"POST / HTTP/1.0",
                b"Connection: keep-alive",
                b"Transfer-Encoding: " + value,
                body=end,
            ),
            h11=LENIENT if value == b"chunked" else AGREES,
        )
    for value in (b"chunked", b"Chunked", b" CHUNKED\t"):
        yield accepted(
            "R22",
            f"{value!r} is chunked",
            post(b"Transfer-Encoding:" + value, body=b"5\r\nhello\r\n" + end),
            b"POST / hello",
            environ={"HTTP_TRANSFER_ENCODING": None, "CONTENT_LENGTH": "5"},
        )
    yield accepted(
        "underscore",
        "names that an app would take for others",
        post(
            b"X_Foo: 1", b"Content_Length: 5", b"Transfer_Encoding: chunked", b"X.Y: 1"
        ),
        b"POST / ",
        environ={"HTTP_X_FOO": None, "CONTENT_LENGTH": None, "HTTP_X_Y": None},
    )


def chunks() -> Iterator[Case]:
    for sent, body, h11 in (
        (b"0\r\n\r\n", b"", AGREES),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", AGREES),
        (
            b"a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
            b"0123456789" * 2,
            AGREES,
        ),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello", AGREES),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", AGREES),
    ):
        yield accepted("R25", f"{sent!r}", chunked(sent), b"POST / " + body, h11=h11)
    for sent in (
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"\t5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b";a\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"\xb2\r\nhello\r\n0\r\n\r\n",
        b"5,5\r\nhello\r\n0\r\n\r\n",
    ):
        yield refused("R25", 400, f"{sent[:9]!r}", chunked(sent))
    yield refused(
        "R25", 400, "a space behind", chunked(b"5 \r\nhello\r\n0\r\n\r\n"), h11=LENIENT
    )
    yield refused(
        "R25",
        400,
        "17 digits",
        chunked(b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n"),
        h11=LENIENT,
    )
    yield refused(
        "R25 R06", 400, "a line feed", chunked(b"5\nhello\r\n0\r\n\r\n"), h11=AGREES
    )
    yield refused("R25", 413, "16 times f", chunked(b"ffffffffffffffff\r\nhello"))
    yield refused("R25", 413, "over the limit", chunked(b"b\r\nhello"), max_body=10)
    yield refused(
        "R25",
        413,
        "over the limit in all",
        chunked(b"5\r\nhello\r\n6\r\nworlds\r\n0\r\n\r\n"),
        max_body=10,
        h11=LENIENT,
    )
    for sent, h11 in (
        (b"5;a\r\nhello\r\n0;b=c\r\n\r\n", AGREES),
        (b'5;a="x;\\"y"\r\nhello\r\n0\r\n\r\n', AGREES),
        # White space around `;` and `=` is bad, but to be read (RFC 9112, 7.1.1).
        (b'5 ; a = "x" ;b\r\nhello\r\n0\r\n\r\n', STRICT),
    ):
        yield accepted("R26", f"{sent[:12]!r}", chunked(sent), b"POST / hello", h11=h11)
    for line in (
        b"5;",
        b"5;;a",
        b"5;a=",
        b"5;a b",
        b'5;a="b\r\n"',
        b'5;a="b',
        b"5;a=b;",
    ):
        yield refused(
            "R26",
            400,
            f"{line!r}",
            chunked(line + b"\r\nhello\r\n0\r\n\r\n"),
            h11=AGREES if b"\r" in line else LENIENT,
        )
    for line in (b"5;a\x00", b"5;a\nb", b'5;a="\x1b"', b"5;\n", b"5;\n\r\n"):
        yield refused(
            "R26 R10",
            400,
            f"{line!r}",
            chunked(line + b"\r\nhello\r\n0\r\n\r\n"),
            h11=AGREES if b"\n" in line else LENIENT,
        )
    for about, body in (
        ("a line too long", b"1;" + b"a" * 39 + b"\r\nx\r\n0\r\n\r\n"),
        ("too many", (b"1;" + b"a" * 29 + b"\r\nx\r\n") * 2 + b"0;b\r\n\r\n"),
    ):
        yield refused("R26", 400, about, chunked(body), limits=CHUNKS, h11=LENIENT)
    yield refused(
        "R26", 400, "a line without an end", chunked(b"1;" + b"a" * 80), limits=CHUNKS
    )
    for body in (
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello\n\r0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
    ):
        yield refused("R27", 400, f"{body[3:]!r}", chunked(body))
    yield from trailers()


CHUNKS = {"max_chunk_line": 40, "max_chunk_extensions": 60, "max_trailers": 50}


def trailers() -> Iterator[Case]:
    yield accepted(
        "R28",
        "reach no app",
        chunked(
            b"5\r\nhello\r\n0\r\nX-T: 1\r\nContent-Length: 99\r\nHost: b\r\n"
            b"Transfer-Encoding: gzip\r\nConnection: close\r\nX_Y: 1\r\n\r\n"
        ),
        b"POST / hello",
        environ={
            "HTTP_X_T": None,
            "CONTENT_LENGTH": "5",
            "HTTP_HOST": "a",
            "HTTP_CONNECTION": None,
        },
        h11=STRICT,
    )
    for line in (b"no colon", b" folded: 1", b"X : 1", b"X: a\x00b", b": x"):
        yield refused("R28", 400, f"{line!r}", chunked(b"0\r\n" + line + b"\r\n\r\n"))
    for line, h11 in ((b"X: a\nY: b", LENIENT), (b"X: a\rY: b", AGREES)):
        yield refused(
            "R28 R06",
            400,
            f"{line!r}",
            chunked(b"0\r\n" + line + b"\r\n\r\n"),
            h11=h11,
        )
    yield refused(
        "R28",
        431,
        "a byte too long",
        chunked(b"0\r\nX: " + b"a" * 46 + b"\r\n\r\n"),
        limits=CHUNKS,
        h11=LENIENT,
    )
    yield refused(
        "R28",
        431,
        "too many",
        chunked(b"0\r\n" + b"X: aaaaaaaa\r\n" * 5 + b"\r\n"),
        limits=CHUNKS,
        h11=LENIENT,
    )
    for body in (
        b"",
        b"5",
        b"5\r\nhell",
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"0\r\nX: 1\r\n",
    ):
        yield unfinished("R29", f"chunked {body!r}", chunked(body))
    yield unfinished(
        "R29", "shorter than its length", post(b"Content-Length: 9", body=b"hello")
    )
    yield unfinished("R29", "no body at all", post(b"Content-Length: 9"))
    yield unfinished("R29", "a head without an end", request()[:-2])


def expectations() -> Iterator[Case]:
    expect, five = b"Expect: 100-continue", b"Content-Length: 5"
    for value in (b"100-continue", b"100-Continue"):
        yield accepted(
            "R30",
            f"{value!r}",
            post(b"Expect: " + value, five, body=b"hello"),
            b"POST / hello",
        )
    for value in (
        b"200-ok",
        b"100-continue, x",
        b"",
        b"100 continue",
        b"100-continue;x",
    ):
        yield refused(
            "R30",
            417,
            f"Expect: {value!r}",
            post(b"Expect: " + value, five, body=b"hello"),
            h11=LENIENT,
        )
    yield refused(
        "R30",
        413,
        "not before the checks",
        post(expect, b"Content-Length: 11"),
        max_body=10,
        never=(b"100 Continue",),
    )
    yield accepted(
        "R30",
        "ignored in HTTP/1.0",
        request(b"POST / HTTP/1.0", b"Expect: what", five, body=b"hello"),
        b"POST / hello",
        open=False,
        never=(b"100 Continue",),
    )


def persistence() -> Iterator[Case]:
    for headers, kept in (
        ((), True),
        ((b"Connection: keep-alive",), True),
        ((b"Connection: close",), False),
        ((b"Connection: Close",), False),
        ((b"Connection: close, TE",), False),
        ((b"Connection: TE,close",), False),
        ((b"Connection: ,close",), False),
        ((b"Connection: keep-alive", b"Connection: close"), False),
        ((b"Connection: keep-alive, close",), False),
        ((b"Connection: closed",), True),
        ((b"X-Connection: close",), True),
    ):
        yield accepted(
            "R31",
            f"{headers!r}",
            request(b"GET / HTTP/1.1", *headers),
            b"GET / ",
            open=kept,
            environ={"HTTP_CONNECTION": None},
            says=() if kept else (b"\r\nConnection: close\r\n",),
        )
    yield accepted(
        "R31",
        "32 elements",
        request(b"GET / HTTP/1.1", b"Connection: " + b",".join([b"x"] * 32)),
        b"GET / ",
    )
    for name in (b"Connection", b"Upgrade", b"Transfer-Encoding"):
        yield refused(
            "R31 R17",
            431,
            f"33 elements of {name.decode()}",
            request(b"GET / HTTP/1.1", name + b": " + b",".join([b"x"] * 33)),
            h11=AGREES if name == b"Transfer-Encoding" else LENIENT,
        )
    for value, kept in (
        (b"Keep-Alive", True),
        (b"TE, keep-alive", True),
        (b"keep-alive, close", False),
        (b"x", False),
    ):
        yield accepted(
            "R32",
            f"{value!r}",
            request(b"GET / HTTP/1.0", b"Connection: " + value),
            b"GET / ",
            open=kept,
            says=(b"\r\nConnection: keep-alive\r\n" if kept else b"Connection: close",),
        )
    three = [request(b"GET /%d HTTP/1.1" % number) for number in range(3)]
    yield accepted(
        "R33",
        "three at once",
        b"".join(three),
        b"GET /0 ",
        b"GET /1 ",
        b"GET /2 ",
        answer=lambda session: session.responder.answer(
            b"200 OK\r\nX-Path: %b\r\n" % session.request.path, b"ok"
        ),
    )
    yield Case(
        ("R33", "R34"),
        "nothing behind what is refused",
        three[0] + post(b"Content-Length: x") + three[1],
        (200, 400),
        (b"GET /0 ",),
    )
    yield Case(
        ("R33", "R31"),
        "nothing behind the last",
        three[0] + request(b"GET /1 HTTP/1.1", b"Connection: close") + three[2],
        (200, 200),
        (b"GET /0 ", b"GET /1 "),
    )


def answers() -> Iterator[Case]:
    head = request(b"HEAD / HTTP/1.1")
    for about, answer in (
        ("in one piece", says(b"200 OK\r\n", b"hello")),
        ("of a known length", streams(b"200 OK\r\nContent-Length: 5\r\n", b"hello")),
    ):
        yield accepted(
            "R35",
            about,
            head,
            b"HEAD / ",
            answer=answer,
            says=(b"Content-Length: 5\r\n",),
            never=(b"hello",),
        )
    yield accepted(
        "R35",
        "streamed",
        head,
        b"HEAD / ",
        answer=streams(b"200 OK\r\n", b"hello"),
        never=(b"hello", b"\r\n0\r\n"),
    )
    for status, phrase in ((204, b"204 No Content"), (304, b"304 Not Modified")):
        for about, answer in (
            ("in one piece", says(phrase + b"\r\nContent-Length: 5\r\n", b"hello")),
            ("streamed", streams(phrase + b"\r\n", b"hello")),
        ):
            yield accepted(
                "R36",
                f"{status} {about}",
                request(),
                b"GET / ",
                status=status,
                answer=answer,
                never=(b"hello", b"Content-Length", b"Transfer-Encoding"),
            )
    yield accepted(
        "R37",
        "1.1 gets chunks",
        request(),
        b"GET / ",
        answer=streams(b"200 OK\r\n", b"hello"),
        says=(b"Transfer-Encoding: chunked\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    )
    yield accepted(
        "R37",
        "1.0 gets the end of the connection",
        request(b"GET / HTTP/1.0", b"Connection: keep-alive"),
        b"GET / ",
        open=False,
        answer=streams(b"200 OK\r\n", b"hel", b"lo"),
        says=(b"\r\n\r\nhello", b"Connection: close\r\n"),
        never=(b"Transfer-Encoding", b"keep-alive"),
    )
    yield accepted(
        "R38",
        "the app's own Date stays the only one",
        request(),
        b"GET / ",
        answer=says(b"200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        says=(b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",),
    )
    yield from broken_answers()


def broken_answers() -> Iterator[Case]:
    for about, block in (
        ("a header in a value", b"200 OK\r\nX: a\rSet-Cookie: b\r\n"),
        ("a line feed in a value", b"200 OK\r\nX: a\nSet-Cookie: b\r\n"),
        ("a NUL in a value", b"200 OK\r\nX: a\0\r\n"),
        ("an escape in a value", b"200 OK\r\nX: \x1b[2J\r\n"),
        ("a name that is no token", b"200 OK\r\nX y: a\r\n"),
        ("a body in the head", b"200 OK\r\nX: a\r\n\r\n<script>\r\n"),
        ("a line feed in the reason", b"200 O\nX: y\r\n"),
        ("no status", b"OK\r\n"),
        ("1xx", b"100 Continue\r\n"),
        ("101 that nobody asked for", b"101 Switching Protocols\r\n"),
    ):
        yield accepted(
            "R43",
            about,
            request(),
            b"GET / ",
            status=500,
            answer=says(block, b"secret"),
            never=(b"secret", b"Set-Cookie", b"script>\r\n"),
        )
    for value in (b"x", b"-1", b"5, 5", b"+5", b"1" * 30, b""):
        yield accepted(
            "R44",
            f"Content-Length: {value!r}",
            request(),
            b"GET / ",
            status=500,
            answer=says(b"200 OK\r\nContent-Length: %b\r\n" % value, b"hello"),
            never=(b"hello",),
        )
    yield accepted(
        "R44",
        "two lengths",
        request(),
        b"GET / ",
        status=500,
        answer=says(b"200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", b"hello"),
        never=(b"hello",),
    )
    yield accepted(
        "R44 R40",
        "codings of the app's are dropped",
        request(),
        b"GET / ",
        answer=says(b"200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", b"hello"),
        says=(b"Content-Length: 5\r\n", b"\r\n\r\nhello"),
        never=(b"Transfer-Encoding",),
    )
    for how in (says, streams):
        yield accepted(
            "R44",
            f"a longer body is cut, if it {how.__name__}",
            request(),
            b"GET / ",
            answer=how(b"200 OK\r\nContent-Length: 2\r\n", b"ok and HTTP/1.1 200 OK"),
            says=(b"Content-Length: 2\r\n",),
            never=(b"and HTTP",),
        )
        yield accepted(
            "R44",
            f"a shorter body ends the connection, if it {how.__name__}",
            request(),
            b"GET / ",
            open=False,
            answer=how(b"200 OK\r\nContent-Length: 9\r\n", b"ok"),
            says=(b"Content-Length: 9\r\n",),
        )
    hint = b"103 Early Hints\r\nLink: </a.css>\r\n"
    yield accepted(
        "R46",
        "before the response",
        request(),
        b"GET / ",
        answer=hints(hint),
        says=(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n",
        ),
    )
    yield accepted(
        "R46 R37",
        "not to HTTP/1.0",
        request(b"GET / HTTP/1.0"),
        b"GET / ",
        open=False,
        answer=hints(hint),
        never=(b"103",),
    )
    yield accepted(
        "R46",
        "not if they are malformed, or no hints",
        request(),
        b"GET / ",
        answer=hints(
            b"103 Early Hints\r\nX: a\nb\r\n",
            b"100 Continue\r\n",
            b"101 Switching Protocols\r\n",
            b"200 OK\r\n",
        ),
        never=(b"HTTP/1.1 1",),
    )


def hops() -> Iterator[Case]:
    yield accepted(
        "R40",
        "those that are always, and those that Connection names",
        request(
            b"GET / HTTP/1.1",
            b"Connection: X-Mine",
            b"X-Mine: 1",
            b"Keep-Alive: 5",
            b"TE: trailers",
            b"Trailer: X",
            b"Proxy-Authorization: Basic eA==",
            b"Proxy-Connection: close",
            b"Proxy: http://evil/",
            b"X-Passtwist-Anything: 1",
            b"X-Kept: 2",
        ),
        b"GET / ",
        environ={
            "HTTP_X_KEPT": "2",
            "HTTP_X_MINE": None,
            "HTTP_KEEP_ALIVE": None,
            "HTTP_TE": None,
            "HTTP_TRAILER": None,
            "HTTP_PROXY": None,
            "HTTP_PROXY_AUTHORIZATION": None,
            "HTTP_PROXY_CONNECTION": None,
            "HTTP_X_PASSTWIST_ANYTHING": None,
        },
    )
    yield accepted(
        "R40",
        "what others rely on stays",
        post(
            b"Connection: Host, Content-Length, Cookie, Authorization, Content-Type",
            b"Content-Length: 5",
            b"Cookie: a=b",
            b"Authorization: Basic eA==",
            b"Content-Type: a/b",
            body=b"hello",
        ),
        b"POST / hello",
        environ={
            "HTTP_HOST": "a",
            "CONTENT_LENGTH": "5",
            "HTTP_COOKIE": "a=b",
            "HTTP_AUTHORIZATION": "Basic eA==",
            "CONTENT_TYPE": "a/b",
        },
    )
    yield accepted(
        "R40",
        "a stranger's forwarding headers do not count",
        request(
            b"GET / HTTP/1.1",
            b"X-Forwarded-For: 10.0.0.1",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: evil",
            b"Forwarded: for=10.0.0.1",
            b"X-Real-IP: 10.0.0.1",
        ),
        b"GET / ",
        environ={
            "HTTP_X_FORWARDED_FOR": None,
            "HTTP_X_FORWARDED_PROTO": None,
            "HTTP_X_FORWARDED_HOST": None,
            "HTTP_FORWARDED": None,
            "HTTP_X_REAL_IP": None,
            "wsgi.url_scheme": "http",
        },
    )
    upgrade = b"Connection: Upgrade", b"Upgrade: websocket"
    yield accepted(
        "R47",
        "of a protocol that nobody speaks",
        request(b"GET / HTTP/1.1", *upgrade),
        b"GET / ",
        open=False,
        says=(b"\r\nConnection: close\r\n",),
        environ={"HTTP_UPGRADE": None, "HTTP_CONNECTION": None},
    )
    yield accepted(
        "R47",
        "with a body",
        post(*upgrade, b"Content-Length: 5", body=b"hello"),
        b"POST / hello",
        environ={"HTTP_UPGRADE": None},
    )
    yield accepted(
        "R47",
        "in HTTP/1.0",
        request(b"GET / HTTP/1.0", b"Connection: Upgrade, keep-alive", upgrade[1]),
        b"GET / ",
        environ={"HTTP_UPGRADE": None},
    )
    yield accepted(
        "R47",
        "never to HTTP/2",
        request(
            b"GET / HTTP/1.1",
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
        b"GET / ",
        environ={"HTTP_UPGRADE": None, "HTTP_HTTP2_SETTINGS": None},
    )


CASES = [
    *first_lines(),
    *line_ends(),
    *header_lines(),
    *hosts(),
    *targets(),
    *sizes(),
    *lengths(),
    *codings(),
    *chunks(),
    *expectations(),
    *persistence(),
    *answers(),
    *hops(),
]
