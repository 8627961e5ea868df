"""What the app answers, whatever framework it uses.

Runs in: app spawners and workers.  Standard library only, Python 3.9 and newer.

It adds a line to the file that STORM_JOURNAL names for each request, as soon as
it gets it: method, what the client calls the request, pid, version of the code.
"""

import os
import time
from urllib.parse import parse_qs

from release import HEALTHY, VERSION


def filler(name, size):
    """So many bytes, which only this request's body has."""
    word = (name + " ").encode()
    return (word * (size // len(word) + 1))[:size]


def journal(*words):
    """Add a line; one write, so that lines of several workers don't mix."""
    with open(os.environ["STORM_JOURNAL"], "ab", buffering=0) as file:
        file.write(" ".join(map(str, words)).encode() + b"\n")


def answer(environ):
    """Status and body."""
    if environ["PATH_INFO"] == "/healthz":
        return ("200 OK", b"fine") if HEALTHY else ("500 Oh", b"I feel bad")
    query = {key: one[0] for key, one in parse_qs(environ["QUERY_STRING"]).items()}
    name = query["name"]
    journal(environ["REQUEST_METHOD"], name, os.getpid(), VERSION)
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read()
        if body != filler(name, int(query["upload"])):
            return "200 OK", b"not the body of " + name.encode()
    time.sleep(int(query["wait"]) / 1000)
    head = b"%s %d %d\n" % (name.encode(), VERSION, os.getpid())
    return "200 OK", head + filler(name, int(query["size"]))
