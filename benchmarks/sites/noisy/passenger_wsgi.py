"""A site that goes wrong in the way that it is asked for; else it behaves."""

import os
import threading

HELLO = b"hello world\n"
MEBIBYTE = 1 << 20

kept = []


def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = HELLO
    if path == "/pid":
        body = b"%d\n" % os.getpid()
    elif path == "/crash":
        # As a fault in an extension module does: nothing is cleaned up.
        os._exit(70)
    elif path == "/leak":
        # Written to, so that it is memory and not the promise of it.
        kept.append(bytearray(os.urandom(4096)) * (MEBIBYTE // 4096))
    elif path == "/hang":
        threading.Event().wait()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
