"""Answer requests with a WSGI application, each checked by wsgiref.validate.

Runs in: a process of its own, so that a site's global state (Django has one
set of settings for each process) is nobody else's.

Usage: ask_wsgi.py FOLDER MODULE:NAME SCRIPT_NAME

A request is a line of JSON on standard input, its answer a line on standard
output; bodies are latin-1 text in them.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator


def make_environ(script_name, request):
    """The environ of one request."""
    path, _, query = request["path"].partition("?")
    body = request["body"].encode("latin-1")
    environ = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost:8080",
        "SERVER_NAME": "localhost",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request["headers"].items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else "HTTP_" + key] = value
    setup_testing_defaults(environ)
    return environ


def answer(application, environ):
    """Status, headers and the pieces of the body."""
    started = []

    def start_response(status, headers, exc_info=None):
        started[:] = [status, headers]

    result = application(environ, start_response)
    try:
        pieces = [piece.decode("latin-1") for piece in result]
    finally:
        result.close()
    return {"status": started[0], "headers": started[1], "pieces": pieces}


def main(folder, entry, script_name):
    """Answer until the end of standard input."""
    sys.path[0] = folder
    module, _, name = entry.partition(":")
    application = validator(getattr(importlib.import_module(module), name))
    for line in sys.stdin:
        request = json.loads(line)
        given = answer(application, make_environ(script_name, request))
        print(json.dumps(given), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
