"""Say why a spawn failed, whose fault it is, and what can be done.

Runs in: every process of the spawn server, and workers until they serve.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Optional

from passtwist.model import (
    APP,
    APP_ERROR,
    FRAMEWORK,
    INTERNAL,
    MANAGER,
    SYSTEM,
    WORKER,
)
from passtwist.spawnserver.entry import BadEntry
from passtwist.wire.journey import FailedRecord

_NAMES = {
    MANAGER: "spawn manager",
    FRAMEWORK: "framework spawner",
    APP: "app spawner",
    WORKER: "worker",
}
# Steps in which code runs that is not ours.
_OF_THE_APP = (
    "enter_app",
    "preload_framework",
    "load_app",
    "warm_up",
    "before_fork",
    "after_fork",
    "start_worker",
)


def blame(
    error: BaseException, app: str, who: str, step: str, code: str
) -> FailedRecord:
    """The record of a spawn that *error* ended.

    :param app: the app's name.
    :param who: the layer in which it was raised.
    :param code: RUNTIME_DIR/code: frames in there are ours and are left out.
    """
    what = type(error).__name__
    text = str(error)
    summary = "app %s: step %s (%s %d) raised %s%s" % (
        app,
        step,
        _NAMES.get(who, who),
        os.getpid(),
        what,
        ": " + text if text else "",
    )
    return FailedRecord(
        who=who,
        pid=os.getpid(),
        step=step,
        category=_category(error, step),
        summary=summary,
        advice=_advice(error),
        detail=_traceback(error, code),
    )


def _category(error: BaseException, step: str) -> str:
    if step in _OF_THE_APP:
        return APP_ERROR
    return SYSTEM if isinstance(error, OSError) else INTERNAL


def _advice(error: BaseException) -> str:
    if isinstance(error, BadEntry):
        return error.advice
    if isinstance(error, ModuleNotFoundError):
        return _advice_on_module(error)
    if isinstance(error, ImportError):
        return "Two versions that do not fit, or modules that import each other?"
    if isinstance(error, SyntaxError):
        return "The app runs under Python %d.%d; was %s written for another?" % (
            sys.version_info[0],
            sys.version_info[1],
            error.filename or "it",
        )
    if isinstance(error, SystemExit):
        return (
            "The app asked to exit while it was loaded.  Code that is to run only "
            'as a script belongs behind  if __name__ == "__main__".'
        )
    if type(error).__name__ == "ImproperlyConfigured":
        return "Are the app's settings named, and its environment variables set?"
    if isinstance(error, PermissionError):
        return "The app runs as uid %d; may that user do this?" % os.geteuid()
    if isinstance(error, FileNotFoundError):
        return "Relative paths are taken from %s." % _here()
    return ""


def _advice_on_module(error: ModuleNotFoundError) -> str:
    where = "The app's interpreter is %s" % sys.executable
    if sys.prefix == sys.base_prefix:
        where += ", which is in no virtualenv; is the app's virtualenv set?"
    else:
        where += "; is %s installed in %s?" % (error.name, sys.prefix)
    root = _here()
    name = (error.name or "").partition(".")[0]
    if name and os.path.exists(os.path.join(root, name)):
        where += "  There is %s in %s, but it can't be imported." % (name, root)
    return where


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a folder that is gone"


def _traceback(error: BaseException, code: str) -> str:
    shown = traceback.TracebackException.from_exception(error)
    _trim(shown, code)
    return "".join(shown.format())


def _trim(shown: Optional[traceback.TracebackException], code: str) -> None:
    """Leave out frames of ours and of the import machinery.

    A child half's frames stay when it is the one that raised.
    """
    ours = [code + "/passtwist/", code + "/bootstrap.py", "<frozen importlib"]
    while shown is not None:
        leave_out = list(ours)
        if shown.stack and not shown.stack[-1].filename.startswith(code):
            leave_out.append(code + "/frameworks/")
        frames = [
            frame
            for frame in shown.stack
            if not frame.filename.startswith(tuple(leave_out))
        ]
        shown.stack = traceback.StackSummary.from_list(frames)
        _trim(shown.__cause__, code)
        shown = shown.__context__
