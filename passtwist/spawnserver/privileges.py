"""Become an app's user, with its limits and with no way back.

Runs in: processes that the manager has forked, before they execute the app's
interpreter: what lies in a virtualenv is code, which root must never run.
"""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Optional

from passtwist.model import APP_ERROR, SYSTEM, AppSpec
from passtwist.wire.journey import FailedRecord

PR_SET_NO_NEW_PRIVS = 38
# What a framework spawner starts with: it belongs to no single app.
USUAL_UMASK = 0o022


class NotTaken(Exception):
    """This process is not what it should be, and must not go on.

    :ivar advice: what would be right.
    """

    def __init__(self, problem: str, advice: str) -> None:
        self.advice = advice
        super().__init__(problem)


def take(app: AppSpec, umask: int) -> None:
    """Become what *app* says: limits, groups, user, privileges, umask.

    :raises NotTaken: the operating system refused.
    """
    os.umask(umask)
    # Before the user is changed: root may also raise them.
    for name, value in app.limits:
        _limit(name, value)
    if app.uid > 0:
        try:
            _switch(app)
        except OSError as error:
            raise NotTaken(
                "can't become user %s (uid %d, gid %d): %s"
                % (app.user, app.uid, app.gid, error.strerror),
                "Has the server the capabilities CAP_SETUID and CAP_SETGID?",
            ) from error
        # Root's folder may be closed for the user.
        os.chdir("/")
    if app.no_new_privileges:
        _give_up_new_privileges()


def _limit(name: str, value: int) -> None:
    number = getattr(resource, "RLIMIT_" + name.upper(), None)
    try:
        if number is None:
            raise ValueError("this system has no such limit")
        resource.setrlimit(number, (value, value))
    except (OSError, ValueError, OverflowError) as error:
        raise NotTaken(
            "limits: %s = %d can't be set: %s" % (name, value, error),
            "Write at most what the server itself may have.",
        ) from error


def _switch(app: AppSpec) -> None:
    os.setgroups(app.groups)
    os.setresgid(app.gid, app.gid, app.gid)
    os.setresuid(app.uid, app.uid, app.uid)
    if (
        os.getresuid() != (app.uid,) * 3
        or os.getresgid() != (app.gid,) * 3
        or set(os.getgroups()) != set(app.groups)
        or _can_be_root_again()
    ):
        raise NotTaken(
            "became user %s (uid %d) but could change back" % (app.user, app.uid),
            "Were securebits set for the server (prctl(2))?",
        )


def _can_be_root_again() -> bool:
    for attempt in (os.setresuid, os.setresgid):
        try:
            attempt(0, 0, 0)
        except OSError:
            continue
        return True
    return False


def _give_up_new_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise NotTaken(
            "no_new_privileges: %s" % os.strerror(ctypes.get_errno()),
            "Set no_new_privileges = false if this system can't have it.",
        )


def not_taken(error: NotTaken, app: AppSpec, who: str, step: str) -> FailedRecord:
    """The record of a spawn that ends here."""
    text = "app %s: %s" % (app.name, error)
    return FailedRecord(who, os.getpid(), step, SYSTEM, text, error.advice)


def barred(
    app: AppSpec, python: str, code: str, who: str, step: str
) -> Optional[FailedRecord]:
    """What this process, being the app's user, can't reach; None for nothing.

    An interpreter would say no more of it than that it can't open a file.
    """
    for what, path, advice in (
        ("runtime_dir", code + "/bootstrap.py", "set runtime_dir to one that is open"),
        ("the interpreter", python, "set python to one that is open"),
        ("root", app.root + "/.", "set user to one who may enter it"),
    ):
        try:
            os.stat(path)
        except PermissionError:
            text = "app %s: %s, %s, is out of reach for user %s (uid %d)" % (
                *(app.name, what, path, app.user),
                os.geteuid(),
            )
            advice = "Open the folders on the way to it, or %s." % advice
            return FailedRecord(who, os.getpid(), step, APP_ERROR, text, advice)
        except OSError:
            continue  # told by who comes to it
    return None
