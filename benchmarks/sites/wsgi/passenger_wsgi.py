"""The plain WSGI site of the benchmarks: all servers are given this file."""

import os
import sys
import time

HELLO = b"hello world\n"
MEBIBYTE = b"0123456789abcdef" * 65536


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/":
        body = HELLO
    elif path == "/mebibyte":
        body = MEBIBYTE
    elif path == "/upload":
        body = b"%d\n" % count(environ["wsgi.input"])
    elif path == "/pid":
        body = b"%d\n" % os.getpid()
    elif path == "/echo":
        # An answer that belongs to this very request, and says who made it.
        body = b"%s %d\n" % (environ["QUERY_STRING"].encode("latin-1"), os.getpid())
    elif path == "/interpreter":
        body = f"{sys.version} {sys.prefix} {sys.base_prefix}\n".encode()
    elif path == "/sleep":
        # Blocks the worker, as a slow query does; so many milliseconds.
        time.sleep(int(environ["QUERY_STRING"]) / 1000)
        body = b"%d\n" % os.getpid()
    else:
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def count(stream):
    """How many bytes the request's body has; all are read."""
    total = 0
    while True:
        piece = stream.read(65536)
        if not piece:
            return total
        total += len(piece)
