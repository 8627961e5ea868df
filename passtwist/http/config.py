"""What the front end is told: frozen values, already validated.

Runs in: the controller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.api.interfaces import IErrorPage

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits and deadlines; times in seconds, sizes in bytes.

    :ivar header_deadline: from accept, or from a request's first byte, until
        its head is complete; absolute, so that dripping bytes does not help.
    :ivar body_read_timeout: between two reads of a request body.
    :ivar body_grace: how long a body may be slower than its least rate.
    :ivar body_min_rate: bytes a second of a body; 0 for any.
    :ivar send_timeout: without the client taking a single byte.
    :ivar send_min_rate: bytes a second that a client must take of what waits for
        it, over `send_timeout`; 0 for any.
    :ivar keep_alive: between a response and the next request's first byte.
    :ivar max_connections: 0 for four fifths of the descriptors.
    :ivar linger: how long a refused client may go on sending before the
        connection is closed under it.
    :ivar linger_bytes: how much of that is read and thrown away.
    :ivar read_ahead: of pipelined requests while one is being answered.
    :ivar body_memory: larger request bodies go to an unlinked file.
    :ivar response_memory: of a response that a slow client has not taken yet;
        more goes to an unlinked file.
    :ivar response_spool: size of that file; then the worker has to wait.
    """

    header_deadline: float = 30.0
    body_read_timeout: float = 60.0
    body_grace: float = 20.0
    body_min_rate: int = 500
    send_timeout: float = 60.0
    send_min_rate: int = 500
    keep_alive: float = 65.0
    linger: float = 5.0
    linger_bytes: int = MIB
    requests_per_connection: int = 1000
    max_connections: int = 0
    max_request_line: int = 8 * KIB
    max_header_fields: int = 100
    max_header_field: int = 8 * KIB
    max_header_bytes: int = 64 * KIB
    max_chunk_line: int = KIB
    max_chunk_extensions: int = 16 * KIB
    max_trailers: int = 8 * KIB
    read_ahead: int = 16 * KIB
    body_memory: int = 64 * KIB
    response_memory: int = 256 * KIB
    response_spool: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class FrontEndConfig:
    """What holds for all sites.

    :ivar environment: for errors that belong to no site: ``production`` or
        ``development``.
    :ivar trusted_proxies: networks like ``10.0.0.0/8``, or ``unix`` for
        whoever connects to a Unix socket, whose forwarding headers count.
    :ivar proxy_hops: trusted proxies one behind the other.
    :ivar proxy_headers: the headers that they write: ``x-forwarded`` for those
        named so, or ``forwarded``.
    :ivar error_page: who makes the error pages in production; None for us.
    :ivar powered_by: each response says who made it.
    :ivar spool_dir: folder for unlinked files; "" for the system's.
    :ivar max_buffers: bytes that wait in memory for all connections together;
        0 for no limit.
    :ivar max_spool: the same in unlinked files.
    """

    environment: str = "production"
    trusted_proxies: tuple[str, ...] = ()
    proxy_hops: int = 1
    proxy_headers: str = "x-forwarded"
    limits: HttpLimits = field(default_factory=HttpLimits)
    error_page: IErrorPage | None = None
    powered_by: bool = False
    spool_dir: str = ""
    max_buffers: int = 0
    max_spool: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Where one app is to be found.

    :ivar app: the app's name, as the pool knows it.
    :ivar hosts: ``shop.example.org`` or ``*.shop.example.org``; empty for any.
    :ivar base_uri: ``/`` or ``/shop``.
    :ivar max_body: largest request body in bytes; 0 for no limit.
    :ivar environment: ``development`` shows error pages with all details.
    :ivar root: absolute folder of the app; "" for a site without files.
    :ivar user: the account that the app is configured for, or "".
    :ivar static: paths below `base_uri`, and folders that are served there.
    :ivar public: folder whose files come before the app; "" for none.
    :ivar static_max_age: seconds that browsers keep such files; 0: they ask.
    :ivar sendfile: folders of which the app may have files sent by their paths.
    :ivar accel: beginnings of URIs, and folders of which it may by such URIs.
    :ivar buffer_requests: a worker gets a request only when its body is whole.
    """

    app: str
    hosts: tuple[str, ...] = ()
    base_uri: str = "/"
    max_body: int = 100 * MIB
    environment: str = "production"
    buffer_requests: bool = True
    root: str = ""
    user: str = ""
    static: tuple[tuple[str, str], ...] = ()
    public: str = ""
    static_max_age: float = 60.0
    sendfile: tuple[str, ...] = ()
    accel: tuple[tuple[str, str], ...] = ()
