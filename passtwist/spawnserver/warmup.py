"""Requests to an app that nobody has made: the configured warm-up.

Runs in: app spawners, and workers that load their app, before anything is
frozen or served.  Real GETs, so the app does all that it does for visitors.
"""

from __future__ import annotations

import sys
import traceback
from io import BytesIO
from typing import Any, Callable, Dict, List

from passtwist.model import AppSpec
from passtwist.worker.wsgi import Application, FileWrapper

# An app may look for this to leave out what is only for visitors.
MARKER = "passtwist.warmup"


def run(application: Application, spec: AppSpec) -> None:
    """Make each configured request; what goes wrong is logged and no error."""
    for target in spec.warmup:
        status = get(application, spec, target)
        if not status.startswith(("2", "3")):
            sys.stderr.write("passtwist: warm-up GET %r: %s\n" % (target, status))


def leave_out(spec: AppSpec) -> None:
    """Say that the requests are not made: this is no WSGI application."""
    if spec.warmup:
        sys.stderr.write(
            "passtwist: warmup is for WSGI, and framework %s serves by itself; only "
            "its own warm-up was done\n" % spec.framework
        )


def get(application: Application, spec: AppSpec, target: str) -> str:
    """The status of one GET, or what was raised.

    :param target: path and maybe query, below the app's base URI.
    """
    statuses: List[str] = []

    def start_response(
        status: str, headers: Any, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        statuses.append(status)
        return lambda data: None

    result: Any = None
    try:
        result = application(_environ(spec, target), start_response)
        for _ in result:
            pass
    except BaseException as error:  # noqa: BLE001 - logged, SystemExit too
        return traceback.format_exc().rstrip() or type(error).__name__
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return statuses[-1] if statuses else "no status"


def _environ(spec: AppSpec, target: str) -> Dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": spec.base_uri.rstrip("/"),
        "PATH_INFO": path.encode("utf-8").decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": spec.base_uri.rstrip("/") + target,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "passtwist warm-up",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": spec.threads > 1,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        MARKER: True,
    }
