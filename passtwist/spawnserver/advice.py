"""What can be done about an error that an app raised while it was started.

Runs in: every process of the spawn server, and workers until they serve.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Callable, Dict, Tuple

from passtwist.spawnserver import scene
from passtwist.spawnserver.advice_modules import on_import, on_missing_module
from passtwist.spawnserver.entry import BadEntry

# Code of servers that apps start by themselves, with app.run() for instance.
_SERVERS = (
    "/werkzeug/serving.py",
    "/bottle.py",
    "/wsgiref/simple_server.py",
    "/socketserver.py",
    "/waitress/",
    "/gunicorn/",
    "/uvicorn/",
    "/hypercorn/",
    "/cheroot/",
    "/gevent/pywsgi.py",
    "/gevent/baseserver.py",
    "/tornado/",
    "/aiohttp/web",
    "/twisted/internet/",
    "/runserver.py",
)
_AS_SCRIPT = 'belongs behind  if __name__ == "__main__".'


# Steps that call what the app has given to passtwist.lifecycle.on, and for what.
_LISTENING = {
    "before_fork": "before_fork",
    "after_fork": "after_fork",
    "start_worker": "worker_started",
}


def advise(error: BaseException, code: str, step: str = "") -> str:
    """One or two sentences, or "" when there is nothing to say.

    :param code: RUNTIME_DIR/code.
    :param step: in which it was raised.
    """
    said = [_on_listener(error, code, step), _on_error(error, code)]
    return "  ".join(each for each in said if each)


def _on_listener(error: BaseException, code: str, step: str) -> str:
    """Which function it was that the app wanted to be called."""
    own = scene.own_frames(error, code)
    if step not in _LISTENING or not own:
        return ""
    return "It comes from %s(), which is called at %s: see %s, line %d." % (
        own[0].function,
        _LISTENING[step],
        own[0].file,
        own[0].line,
    )


def _on_error(error: BaseException, code: str) -> str:
    if isinstance(error, BadEntry):
        return error.advice
    server = _own_server(error, code)
    if server:
        return server
    if isinstance(error, ModuleNotFoundError):
        return on_missing_module(error)
    if isinstance(error, ImportError):
        return on_import(error)
    if isinstance(error, SyntaxError):
        return _on_syntax(error)
    missing = _missing_variable(error)
    if missing:
        return missing
    if type(error).__name__ in _BY_NAME:
        return _BY_NAME[type(error).__name__](error)
    if isinstance(error, SystemExit):
        return (
            "The app asked to exit while it was loaded.  Code that is to run only "
            "as a script " + _AS_SCRIPT
        )
    if isinstance(error, PermissionError):
        return "The app runs as uid %d; may that user do this?" % os.geteuid()
    if isinstance(error, FileNotFoundError):
        return "Relative paths are taken from %s." % scene.here()
    return ""


def _own_server(error: BaseException, code: str) -> str:
    """The app's own run(): its port is in use, or it has ended."""
    taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    if not (taken or isinstance(error, (OSError, SystemExit))):
        return ""
    frames = scene.frames_of(error)
    serves = any(part in frame.file for frame in frames for part in _SERVERS)
    if not (taken or serves):
        return ""
    own = scene.own_frames(error, code)
    where = "  See %s, line %d." % (own[-1].file, own[-1].line) if own else ""
    why = "  Its address is in use, by another copy of it perhaps." if taken else ""
    return (
        "The app opens a port by itself while it is loaded.%s  It needs none here: "
        "a call like app.run() %s%s" % (why, _AS_SCRIPT, where)
    )


def _on_syntax(error: SyntaxError) -> str:
    version = "Python %d.%d" % sys.version_info[:2]
    where = "%s, line %s" % (error.filename or "a string", error.lineno or "?")
    if "print" in str(error.msg) and "parentheses" in str(error.msg):
        return "%s is written for Python 2; the app runs under %s." % (where, version)
    if isinstance(error, TabError):
        return "%s: tabs and spaces are mixed; use spaces only." % where
    if isinstance(error, IndentationError):
        return "%s: look at its indentation, and at the line before it." % where
    first = (error.text or "").split(None, 1)[:1]
    for word, since in _NEW_SYNTAX.items():
        if first == [word] and sys.version_info[:2] < since:
            return "%s: `%s` is for Python %d.%d and newer; the app runs under %s." % (
                (where, word, *since, version)
            )
    return (
        "%s, or the line before it.  The app runs under %s; was it written for "
        "another?" % (where, version)
    )


_NEW_SYNTAX: Dict[str, Tuple[int, int]] = {
    "match": (3, 10),
    "case": (3, 10),
    "except*": (3, 11),
    "type": (3, 12),
}


def _missing_variable(error: BaseException) -> str:
    """The app looked for an environment variable that is not there."""
    if not isinstance(error, KeyError) or len(error.args) != 1:
        return ""
    frames = scene.frames_of(error)
    # Python 3.11 and newer have it frozen.
    if not frames or frames[-1].file not in (os.__file__, "<frozen os>"):
        return ""  # a KeyError of another mapping than os.environ
    name = str(error.args[0])
    return (
        "The environment variable %s is not set.  Set it for the app:  "
        'env = { %s = "..." }' % (name, name)
    )


def _on_settings(error: BaseException) -> str:
    """Django's ImproperlyConfigured, and those that borrow its name."""
    text = str(error)
    named = os.environ.get("DJANGO_SETTINGS_MODULE")
    if "DJANGO_SETTINGS_MODULE" in text and not named:
        return (
            "DJANGO_SETTINGS_MODULE is not set.  Let the app's wsgi.py set it, as "
            "startproject writes it, or set it for the app:  "
            'env = { DJANGO_SETTINGS_MODULE = "mysite.settings" }'
        )
    said = "Are the app's settings complete, and its environment variables set?"
    return "%s  DJANGO_SETTINGS_MODULE is %s." % (said, named) if named else said


def _on_undefined(error: BaseException) -> str:
    """python-decouple's UndefinedValueError."""
    return "Set that variable for the app, with env = { ... } or in its own .env file."


def _on_registry(error: BaseException) -> str:
    """Django's AppRegistryNotReady."""
    return (
        "Models were imported before Django was set up.  Name Django's own "
        "application as entry, the one that get_wsgi_application() makes."
    )


_BY_NAME: Dict[str, Callable[[BaseException], str]] = {
    "ImproperlyConfigured": _on_settings,
    "UndefinedValueError": _on_undefined,
    "AppRegistryNotReady": _on_registry,
}
