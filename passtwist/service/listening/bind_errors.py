"""Why an endpoint can't be listened on: the thing, the place, the remedy.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_TLS = ("OpenSSL", "cryptography", "service_identity")
_REMEDIES = {
    errno.EADDRINUSE: "`ss -ltnp` shows who listens there",
    errno.ENOENT: "make that folder first",
    errno.EADDRNOTAVAIL: (
        "interface= has to be an address of this machine; `ip address` lists them"
    ),
    errno.EAFNOSUPPORT: "without IPv6, write interface=0.0.0.0",
}


class EndpointError(ValueError):
    """What an endpoint string asks for can't be had.

    :ivar why: what is wrong, and where.
    :ivar remedy: what to do about it; "" where the first part says it.
    """

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why + (f"; {remedy}" if remedy else ""))
        self.why = why
        self.remedy = remedy


def no_endpoint(description: str, error: Exception) -> StartupError:
    """*description* was not understood."""
    if isinstance(error, EndpointError):
        why = str(error)
    elif isinstance(error, ModuleNotFoundError) and error.name in _OF_TLS:
        why = "TLS needs pyOpenSSL; pip install 'passtwist[tls]'"
    else:
        why = f"not an endpoint: {error}"
    return StartupError(f"can't listen on {description}: {why}")


def not_bound(description: str, error: BaseException) -> StartupError:
    """*description* was understood, but can't be listened on."""
    return StartupError(f"can't listen on {description}: {explained(error)}")


def several(errors: Sequence[StartupError]) -> StartupError:
    """What *errors* say, as one."""
    lines = "".join(f"\n  {error}" for error in errors)
    return StartupError(f"{len(errors)} endpoints can't be had:{lines}")


def explained(error: BaseException) -> str:
    """What went wrong when a port was bound, and what to do."""
    cause = getattr(error, "socketError", error)
    if isinstance(cause, socket.gaierror):
        return (
            f"the name {getattr(error, 'interface', '')} does not resolve "
            f"({cause.strerror}); write an address of this machine"
        )
    if not isinstance(cause, OSError) or cause.strerror is None:
        return str(error)
    remedy = _REMEDIES.get(cause.errno or 0, "")
    if isinstance(cause, PermissionError) and isinstance(
        getattr(error, "port", None), int
    ):
        remedy = "low ports are for root, and for who has CAP_NET_BIND_SERVICE"
    elif isinstance(cause, PermissionError):
        remedy = "the server's user has to be allowed to write there"
    where = f"{cause.filename}: " if isinstance(cause.filename, str) else ""
    return where + cause.strerror + (f"; {remedy}" if remedy else "")
