"""`twistd passtwist`: options and service for twistd.

Runs in: the controller.  Loaded by name from twisted/plugins.
"""

from __future__ import annotations

import os
import pwd
import sys
from typing import TYPE_CHECKING, Any

from twisted.python import usage

from passtwist.api.flags import LIST_PLUGINS, TwistedFlags
from passtwist.api.registry import Registry
from passtwist.errors import PasstwistError

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.settings import Settings
    from passtwist.service.service import PasstwistService


class Options(TwistedFlags, usage.Options):
    """The flags of `twistd passtwist`; each is also a key of the settings."""

    synopsis = "[options] [APP_DIR ...]"
    longdesc = (
        "Serve Python web applications: one folder at /, several each at /NAME, "
        "or as the file given with --config says."
    )
    found: Settings
    read: Callable[[], Settings] | None
    registry: Registry

    def postOptions(self) -> None:
        """Read all settings; an error ends twistd here, in one piece.

        Not by usage.UsageError, with which twistd buries the message below a
        hundred lines of usage.
        """
        try:
            if self[LIST_PLUGINS]:
                files = self.get("plugin-file") or ()
                sys.stdout.write(Registry.load(files).describe() + "\n")
                raise SystemExit(0)
            self.found = self.settings()
            self.read = self.reader(self.found)
            self.registry = Registry.load(self.found.server.plugin_files)
        except PasstwistError as error:
            raise SystemExit(f"passtwist: {error}") from error


def makeService(options: Options) -> PasstwistService:
    """Build the service; starts nothing."""
    from twisted.internet import reactor

    from passtwist.assembly import make_service
    from passtwist.service.server_log import ServerLog

    try:
        service = make_service(options.found, reactor, options.registry, options.read)
        if path := _log_file(options.parent):
            service.parts.logs.keep(ServerLog(path))
    except PasstwistError as error:
        raise SystemExit(f"passtwist: {error}") from error
    service.handle_signals(reactor)
    if successor := _successor(options.parent):
        service.hand_over_to(*successor)
    return service


def _log_file(twistd: Any) -> str:
    """The file that twistd would log to; "" for what is no file.

    :param twistd: its options; Any, because Twisted's are not typed.
    """
    if not twistd or twistd["logger"] or twistd["syslog"]:
        return ""
    path = twistd["logfile"] or ("" if twistd["nodaemon"] else "twistd.log")
    return "" if path == "-" else str(path)


def _successor(twistd: Any) -> tuple[int, int] | None:
    """Whom twistd's own --uid and --gid name; None without --uid.

    :param twistd: its options; Any, because Twisted's are not typed.
    """
    uid = twistd["uid"] if twistd else None
    if uid is None or os.geteuid() != 0:
        return None
    gid = twistd["gid"]
    try:
        return uid, pwd.getpwuid(uid).pw_gid if gid is None else gid
    except KeyError:
        raise SystemExit(f"passtwist: --uid: user {uid} has no account") from None
