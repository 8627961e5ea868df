"""Where a server keeps its runtime directory when nobody says.

Runs in: the controller and the command, which must agree to find each other.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMIN_SOCKET = "admin.sock"


def default_runtime_dir(environ: Mapping[str, str], uid: int) -> str:
    """``/run/passtwist`` for root, else below ``$XDG_RUNTIME_DIR`` or the home.

    Never below ``/tmp``: what anybody may make beforehand, anybody may own.

    :param environ: environment variables, as in `os.environ`.
    :param uid: the effective user's number.
    """
    if uid == 0:
        return "/run/passtwist"
    base = environ.get("XDG_RUNTIME_DIR", "")
    # The XDG specification says to ignore a relative path.
    if base.startswith("/"):
        return os.path.join(base, "passtwist")
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        home = os.path.expanduser("~")
    return os.path.join(home, ".local", "state", "passtwist")


def admin_socket(runtime_dir: str) -> str:
    """Path of the admin API's socket."""
    return os.path.join(runtime_dir, ADMIN_SOCKET)
