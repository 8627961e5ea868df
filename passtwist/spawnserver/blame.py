"""Say why a spawn failed, whose fault it is, and what can be done.

Runs in: every process of the spawn server, and workers until they serve.
"""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Optional

from passtwist.masking import mask_secrets, secret_values
from passtwist.model import (
    APP,
    APP_ERROR,
    FRAMEWORK,
    INTERNAL,
    MANAGER,
    SYSTEM,
    WORKER,
)
from passtwist.spawnserver import scene
from passtwist.spawnserver.advice import advise
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

_IMPORTING = ("<frozen importlib", os.path.abspath(importlib.__file__))


def blame(
    error: BaseException, app: str, who: str, step: str, code: str
) -> FailedRecord:
    """The record of a spawn that *error* ended, without secrets.

    :param app: the app's name.
    :param who: the layer in which it was raised.
    :param code: RUNTIME_DIR/code: frames in there are ours and are left out.
    """
    what = type(error).__name__
    text = str(error)
    category = _category(error, step)
    secrets = secret_values(os.environ)
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
        category=category,
        summary=mask_secrets(summary, secrets),
        advice=mask_secrets(advise(error, code, step), secrets),
        detail=mask_secrets(_traceback(error, code), secrets),
        # Where code of the app fails, its author wants to know more.
        scene=scene.of_error(error, code) if category == APP_ERROR else None,
    )


def _category(error: BaseException, step: str) -> str:
    if step in _OF_THE_APP:
        return APP_ERROR
    return SYSTEM if isinstance(error, OSError) else INTERNAL


def _traceback(error: BaseException, code: str) -> str:
    shown = traceback.TracebackException.from_exception(error)
    _trim(shown, code)
    return "".join(shown.format())


def _trim(shown: Optional[traceback.TracebackException], code: str) -> None:
    """Leave out frames of ours and of the import machinery.

    A child half's frames stay when it is the one that raised.
    """
    ours = [code + "/passtwist/", code + "/bootstrap.py", *_IMPORTING]
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
