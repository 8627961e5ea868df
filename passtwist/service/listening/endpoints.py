"""Endpoint strings: what there is to listen on.

Runs in: the controller.

Twisted's own syntax, and mostly Twisted's own endpoints.  Made here are those
with which a web server has to be more careful, or can do more: Unix sockets,
TLS, what a load balancer says of its clients, and sockets of systemd's.  A kind
that is not known here is left to Twisted, and so to the plugins for it.
"""

from __future__ import annotations

import grp
import inspect
import os
import pwd
import re
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.task import Clock

from passtwist.service.listening.bind_errors import EndpointError, no_endpoint
from passtwist.service.listening.proxied import ProxiedEndpoint
from passtwist.service.listening.systemd_sockets import adopted
from passtwist.service.listening.unix_endpoint import (
    LONGEST_PATH,
    SocketFile,
    UnixEndpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IStreamServerEndpoint

    from passtwist.api.reactors import Reactor

# How many clients may wait to be accepted; the kernel takes no more than
# net.core.somaxconn.  Twisted's 50 are full in a moment, and then a proxy on a
# Unix socket gets an error at once.
BACKLOG = "2048"

_PIECE = re.compile(r"((?:[^:\\]|\\.)*)(:|\Z)", re.DOTALL)
_PAIR = re.compile(r"([A-Za-z]\w*)=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def endpoint_from(reactor: Reactor, description: str) -> IStreamServerEndpoint:
    """The endpoint that *description* stands for.

    :raises EndpointError: there is none; says why and what would be right.
    :raises Exception: whatever a plugin's parser raises.
    """
    kind, _, rest = description.partition(":")
    if kind == "haproxy":
        # The balancer's header comes before everything else, also before TLS.
        return _made(reactor, rest, lambda plain: ProxiedEndpoint(plain, reactor, rest))
    return _made(reactor, description, lambda plain: plain)


def mistakes(listen: Iterable[str]) -> list[str]:
    """What is wrong with endpoints, a sentence each, as far as nobody listens.

    Those that only systemd, Twisted or a plugin knows are not judged.
    """
    found = []
    for description in listen:
        kind = description.removeprefix("haproxy:").partition(":")[0]
        if kind not in KINDS or kind == "systemd" or ":name=" in description:
            continue
        try:
            # Of a reactor, nothing but the time is asked before it listens.
            endpoint_from(Clock(), description)  # type: ignore[arg-type]  # see above
        except (EndpointError, ImportError) as error:
            found.append(str(no_endpoint(description, error)))
    return found


def arguments_of(kind: str) -> list[tuple[str, str]]:
    """Names and defaults of what a kind takes, in order; "" for no default."""
    parameters = list(inspect.signature(KINDS[kind]).parameters.values())[2:]
    return [
        (one.name, "" if one.default is one.empty else one.default)
        for one in parameters
    ]


def split(description: str) -> tuple[str, list[str], dict[str, str]]:
    r"""Kind, arguments and named arguments of an endpoint string.

    ``:`` separates them; ``\`` takes its meaning from what follows.

    :raises EndpointError: it ends in the middle of an escape.
    """
    pieces: list[str] = []
    position, separator = 0, ":"
    while separator:
        found = _PIECE.match(description, position)
        if found is None:
            raise EndpointError("not an endpoint: it ends with a lone backslash")
        pieces.append(found[1])
        separator, position = found[2], found.end()
    args, named = [], {}
    for piece in pieces[1:]:
        pair = _PAIR.fullmatch(piece)
        if pair is None:
            args.append(_ESCAPED.sub(r"\1", piece))
        else:
            named[pair[1]] = _ESCAPED.sub(r"\1", pair[2])
    return pieces[0], args, named


def _made(
    reactor: Reactor,
    description: str,
    wrap: Callable[[IStreamServerEndpoint], IStreamServerEndpoint],
) -> IStreamServerEndpoint:
    kind, args, named = split(description)
    make = KINDS.get(kind)
    if make is None:
        if kind == "haproxy":
            raise EndpointError("not an endpoint: haproxy: twice")
        return wrap(serverFromString(reactor, description))
    signature = inspect.signature(make)
    try:
        bound = signature.bind(reactor, wrap, *args, **named)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[2:])
        raise EndpointError(
            f"not an endpoint: {kind}: {error}", f"{kind}: takes {known}"
        ) from error
    endpoint: IStreamServerEndpoint = make(*bound.args, **bound.kwargs)
    return endpoint


# --- the kinds; names and order of arguments are Twisted's ------------------------


def _tcp(
    reactor: Any, wrap: Any, port: str, interface: str = "", backlog: str = BACKLOG
) -> Any:
    endpoint = TCP4ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )
    return wrap(endpoint)


def _tcp6(
    reactor: Any, wrap: Any, port: str, backlog: str = BACKLOG, interface: str = "::"
) -> Any:
    endpoint = TCP6ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )
    return wrap(endpoint)


def _unix(
    reactor: Any,
    wrap: Any,
    address: str,
    mode: str = "666",
    backlog: str = BACKLOG,
    lockfile: str = "1",
    user: str = "",
    group: str = "",
) -> Any:
    path = os.path.abspath(address)
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise EndpointError(
            f"{path}: a Unix socket's path has at most {LONGEST_PATH} bytes",
            "take a shorter one",
        )
    file = SocketFile(
        path,
        _number("mode", mode, highest=0o777, base=8),
        _account("user", user, lambda name: pwd.getpwnam(name).pw_uid),
        _account("group", group, lambda name: grp.getgrnam(name).gr_gid),
        locks=lockfile != "0",
    )
    return wrap(UnixEndpoint(reactor, file, _number("backlog", backlog)))


def _systemd(
    reactor: Any, wrap: Any, domain: str, index: str = "", name: str = ""
) -> Any:
    if bool(index) == bool(name):
        raise EndpointError("not an endpoint: systemd: takes index= or name=")
    return wrap(_passed(reactor, domain, f"name={name}" if name else f"index={index}"))


def _passed(reactor: Any, domain: str, which: str) -> Any:
    """A socket that systemd has passed."""
    try:
        endpoint = serverFromString(reactor, f"systemd:domain={domain}:{which}")
    except (KeyError, IndexError):
        raise EndpointError(
            f"systemd has passed no socket {which}",
            "start the server by a .socket unit that has it (ListenStream=, and "
            "FileDescriptorName= for name=)",
        ) from None
    if not isinstance(endpoint, AdoptedStreamServerEndpoint):
        raise AssertionError(f"Twisted made {endpoint} of a socket of systemd's")
    return adopted(reactor, endpoint, which)


def _tls(
    reactor: Any,
    wrap: Any,
    path: str,
    port: str = "443",
    backlog: str = BACKLOG,
    interface: str = "::",
    domain: str = "INET6",
    name: str = "",
) -> Any:
    from passtwist.service.listening.certificate_files import PemFiles, PemFolder
    from passtwist.service.listening.tls_endpoint import tls_endpoint

    if name:
        plain = _passed(reactor, domain, f"name={name}")
    else:
        address = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
        plain = address(
            reactor, _number("port", port), _number("backlog", backlog), interface
        )
    path = os.path.abspath(path)
    source = PemFiles([path]) if os.path.isfile(path) else PemFolder(path)
    return tls_endpoint(reactor, wrap(plain), source)


def _ssl(
    reactor: Any,
    wrap: Any,
    port: str,
    privateKey: str = "server.pem",
    certKey: str = "",
    sslmethod: str = "",
    interface: str = "",
    backlog: str = BACKLOG,
    extraCertChain: str = "",
    dhParameters: str = "",
) -> Any:
    from passtwist.service.listening.certificate_files import PemFiles
    from passtwist.service.listening.tls_endpoint import tls_endpoint

    if sslmethod or dhParameters:
        raise EndpointError(
            "sslmethod= and dhParameters= are not supported: they can only weaken "
            "what there is without them (TLS 1.2 and 1.3, forward secrecy)",
            "leave them out",
        )
    plain = TCP4ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )
    paths = (certKey or privateKey, extraCertChain, privateKey)
    files = PemFiles([os.path.abspath(path) for path in dict.fromkeys(paths) if path])
    return tls_endpoint(reactor, wrap(plain), files)


KINDS: dict[str, Callable[..., Any]] = {
    "tcp": _tcp,
    "tcp6": _tcp6,
    "unix": _unix,
    "systemd": _systemd,
    "tls": _tls,
    "ssl": _ssl,
}


def _number(what: str, text: str, highest: int = 65535, base: int = 10) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if 0 <= number <= highest:
        return number
    shown = oct(highest)[2:] if base == 8 else highest
    raise EndpointError(
        f"not an endpoint: {what} {text!r} is no number from 0 to {shown}"
    )


def _account(what: str, name: str, find: Callable[[str], int]) -> int:
    """The number of a user or group; -1 for none."""
    if not name:
        return -1
    try:
        return find(name)
    except KeyError:
        raise EndpointError(f"there is no {what} {name!r}", "make it first") from None
