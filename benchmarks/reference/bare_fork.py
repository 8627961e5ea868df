"""How long a fork takes of a process that has loaded a Django site.

Run by its path, in the site's folder, so that nothing of the benchmarks is in
the process: what is forked is the site and this file.  Each line on stdin
names a way of `WAYS`; the seconds that it took are the answer on stdout.  It
ends with stdin.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import os
import socket
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36

WAYS = ("once", "twice", "request")


def main() -> None:
    """Load, freeze, then fork when told."""
    sys.path[0] = os.getcwd()
    # So that a grandchild can be waited for.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    application = importlib.import_module(sys.argv[1]).application
    # What a framework does at its first request is done before a fork, too.
    answer(application)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(seconds_of(line.strip(), application), flush=True)


def seconds_of(way: str, application: Any) -> float:
    """From before the fork until the child's first byte is here."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        begin = time.perf_counter()
        child = os.fork()
        if not child:
            ours.close()
            live(theirs, way, application)
        theirs.close()
        said = ours.recv(1)
        seconds = time.perf_counter() - begin
    os.waitpid(child, 0)
    if way == "twice":
        os.wait()
    if not said:
        raise ChildProcessError("the child ended and said nothing")
    return seconds


def live(theirs: socket.socket, way: str, application: Any) -> None:
    """The child's life: say that it is there, or answer, and end with the parent."""
    try:
        if way == "twice" and os.fork():
            return
        gc.enable()
        theirs.sendall(answer(application) if way == "request" else b"1")
        theirs.recv(1)
    finally:
        os._exit(0)


def answer(application: Any) -> bytes:
    """The body of the site's small page, by WSGI."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/hello",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    response = application(environ, lambda status, headers, error=None: None)
    try:
        return b"".join(response)
    finally:
        response.close()


if __name__ == "__main__":
    main()
