"""Checks of single texts: what makes a host, an endpoint or a mount point.

Runs in: the controller and the command.  Pure.

Each check returns the text in its normal form or raises ValueError with a
message for the operator: what is wrong; what would be right.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re

from passtwist.api.settings_kinds import quoted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLUGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENDPOINT = re.compile(r"[a-z][a-z0-9]*:.")
# Not "tcp:80", which is an endpoint.
_ADDRESS = re.compile(r"(?:(localhost|[^:/\s]*\.[^:/\s]*):)?([0-9]{1,5})")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?")
_MOUNT = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
_VARIABLE = re.compile(r"[^=\x00-\x20\x7f]+")
_FORK_ALLOW = re.compile(r"[a-z][a-z_-]*:.+")
# The names of setrlimit(2), without RLIMIT_ and in lower case.
LIMIT_NAMES = (
    *("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile"),
    *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)


def app_name(text: str) -> str:
    """Letters, digits, dots, dashes: it shows up in paths, logs and URLs."""
    if _NAME.fullmatch(text):
        return text
    raise ValueError(
        f"{quoted(text)} can't be a name; use letters, digits, '.', '_' and '-' "
        "(64 at most), the first one a letter or digit"
    )


def plugin_name(text: str) -> str:
    """The name of a framework or spawn method; whether it exists comes later."""
    if _PLUGIN.fullmatch(text):
        return text
    raise ValueError(
        f"{quoted(text)} can't be a plugin's name; `passtwist plugins` lists them"
    )


def endpoint(text: str) -> str:
    """A server endpoint string of Twisted; only its shape is looked at here."""
    address = _ADDRESS.fullmatch(text)
    if address is not None:
        host, port = address.groups()
        right = f"tcp:{port}" + (f":interface={host}" if host else "")
        raise ValueError(f'{quoted(text)} is no endpoint; write "{right}"')
    if text.startswith("/"):
        raise ValueError(f'{quoted(text)} is no endpoint; write "unix:{text}"')
    if not _ENDPOINT.match(text):
        raise ValueError(
            f"{quoted(text)} is no endpoint; write for example "
            '"tcp:8080:interface=127.0.0.1" or "unix:/run/shop.sock"'
        )
    return text


def host(text: str) -> str:
    """A host name, ``*.`` in front for all names below it; in lower case."""
    lower = text.lower()
    try:
        if lower.startswith("[") and lower.endswith("]"):
            return f"[{ipaddress.IPv6Address(lower[1:-1])}]"
    except ValueError:
        pass
    if len(lower) <= 255 and _HOST.fullmatch(lower):
        return lower.removesuffix(".")
    raise ValueError(
        f"{quoted(text)} is no host name; write it without scheme, port and path: "
        '"shop.example.org" or "*.example.org" (IDNs as "xn--...")'
    )


def base_uri(text: str) -> str:
    """A mount point without a slash at its end; ``/`` for the root."""
    stripped = text.rstrip("/")
    if not stripped and text.startswith("/"):
        return "/"
    dots = {".", ".."} & set(stripped.split("/"))
    if _MOUNT.fullmatch(stripped) and not dots:
        return stripped
    raise ValueError(
        f'{quoted(text)} is no mount point; write "/" or a path such as "/shop", '
        "without escapes, query, empty or dot segments"
    )


def path_of_files(text: str) -> str:
    """A path below which there are files, and not the app: never all of them."""
    if not text.strip("/"):
        raise ValueError(
            f"{quoted(text)} would leave nothing to the app; write a path such as "
            '"/static/", or use the setting public'
        )
    return base_uri(text)


def url_path(text: str) -> str:
    """A path of the app itself, for warm-up and health checks."""
    if text.startswith("/") and text.isascii() and " " not in text and "#" not in text:
        return text
    raise ValueError(f'{quoted(text)} is no path; write it as "/login/"')


def network(text: str) -> str:
    """An address or a network in CIDR notation, or ``unix``."""
    if text == "unix":
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        right = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        right = "10.0.0.0/8"
    raise ValueError(f'{quoted(text)} is no network; write one as "{right}"')


def variable(text: str) -> str:
    """The name of an environment variable."""
    if _VARIABLE.fullmatch(text):
        return text
    raise ValueError(f"{quoted(text)} can't be the name of an environment variable")


def limit_name(text: str) -> str:
    """A resource limit of setrlimit(2)."""
    if text in LIMIT_NAMES:
        return text
    raise ValueError(
        f"{quoted(text)} is no resource limit; known are {', '.join(LIMIT_NAMES)}"
    )


def fork_finding(text: str) -> str:
    """What the fork-safety audit may find without objecting."""
    if _FORK_ALLOW.fullmatch(text):
        return text
    raise ValueError(
        f"{quoted(text)} names no finding; write KIND:NAME, for example "
        '"thread:sentry" or "socket:127.0.0.1:6379"'
    )


def folder_inside(text: str) -> str:
    """A folder that may be relative; never one that climbs out."""
    if ".." in text.split("/"):
        raise ValueError(f'{quoted(text)} holds ".."; write the path without it')
    return text


def folder_of_files(text: str) -> str:
    """A folder whose files are for clients, so not the whole app."""
    if posixpath.normpath(folder_inside(text)) in (".", "/", "//"):
        raise ValueError(
            f"{quoted(text)} would make the app's code and settings public; name a "
            "folder in it that holds nothing else than what is to be sent"
        )
    return text
