"""An app that does what tests ask it for.

Runs in: app spawners and workers.  Standard library only, Python 3.9 and newer.

It tells what happened to it by lines in the file `notes` beside it, and waits
for files `gate-NAME` that a test makes there.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs
from wsgiref.validate import validator

HERE = Path(__file__).resolve().parent
LOADED_BY = os.getpid()
PATIENCE = 60  # seconds, so that no process outlives a test that went wrong


def note(text):
    """Add a line; one write, so that lines of several workers don't mix."""
    with open(HERE / "notes", "ab", buffering=0) as file:
        file.write(text.encode() + b"\n")


def wait_for_gate(name):
    """Wait until the test opens the gate."""
    gate = HERE / ("gate-" + name)
    end = time.monotonic() + PATIENCE
    while not gate.exists() and time.monotonic() < end:
        time.sleep(0.005)


def content(size):
    """Bytes of a size, no two pieces of which are alike."""
    block = b"".join(b"%08d" % number for number in range(0, 80_000, 8))
    return (block * (size // len(block) + 1))[:size]


class Noting:
    """An iterable that notes when it is closed."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        note("closed")


def text_answer(start_response, text, status="200 OK"):
    body = text.encode()
    start_response(
        status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    )
    return [body]


def hello(environ, start_response, query):
    return text_answer(start_response, "hello from %s" % HERE.name)


def crash(environ, start_response, query):
    """As a fault in an extension module does: nothing is cleaned up."""
    os._exit(70)


def pid(environ, start_response, query):
    return text_answer(start_response, str(os.getpid()))


def about(environ, start_response, query):
    """What this process is like."""
    umask = os.umask(0o077)
    os.umask(umask)
    facts = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "loaded_by": LOADED_BY,
        "version": list(sys.version_info[:2]),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "path": sys.path,
        "modules": sorted(sys.modules),
        "folder": os.getcwd(),
        "umask": umask,
    }
    return text_answer(start_response, json.dumps(facts))


def show_environ(environ, start_response, query):
    """All of the environ; what is no text by the name of its type."""
    plain = (str, bool, tuple)
    shown = {
        name: value if isinstance(value, plain) else type(value).__name__
        for name, value in environ.items()
    }
    return text_answer(start_response, json.dumps(shown))


def digest(environ, start_response, query):
    """SHA-256 and size of the request's body, read in pieces."""
    found, size = hashlib.sha256(), 0
    while True:
        piece = environ["wsgi.input"].read(10_000)
        if not piece:
            break
        found.update(piece)
        size += len(piece)
    return text_answer(start_response, "%d %s" % (size, found.hexdigest()))


def echo(environ, start_response, query):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [body]


def converse(environ, start_response, query):
    """Answers each line before the next is read."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for line in environ["wsgi.input"]:
        yield line.upper()


def swallow(environ, start_response, query):
    """Read to the end, and note how that went."""
    note("reading")
    try:
        size = len(environ["wsgi.input"].read())
    except OSError as error:
        note("lost: %s" % error)
        raise
    note("read %d" % size)
    return text_answer(start_response, str(size))


def lines(environ, start_response, query):
    """The body's lines, as readline, readlines and iteration give them."""
    source = environ["wsgi.input"]
    found = [source.readline(), next(iter(source)), *source.readlines(100)]
    shown = json.dumps([line.decode() for line in found])
    return text_answer(start_response, shown)


def big(environ, start_response, query):
    """A large body in one piece, or in many with ?pieces."""
    body = content(int(query["size"]))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if "pieces" not in query:
        return [body]
    step = int(query["pieces"])
    return (body[at : at + step] for at in range(0, len(body), step))


def flood(environ, start_response, query):
    """A body of any size, which is never in memory as a whole."""
    block, left = content(1 << 20), int(query["size"])
    start_response("200 OK", [("Content-Length", str(left))])
    while left:
        yield block[:left]
        left -= min(left, len(block))


def stream(environ, start_response, query):
    """Pieces; before each the gate of its number must be open."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(int(query["pieces"])):
        wait_for_gate(str(number))
        yield b"piece %d\n" % number


def use_write(environ, start_response, query):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written, ")
    write(b"again, ")
    return [b"returned"]


def closing(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Noting([b"a", b"b"])


def change_mind(environ, start_response, query):
    """Announce one answer and replace it by another before any was sent."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise ValueError("changed my mind")
    except ValueError:
        start_response("409 Conflict", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"no"]


def too_late(environ, start_response, query):
    """Try to replace an answer of which something was sent."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun "
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("500 Oh", [("Content-Type", "text/plain")], sys.exc_info())
    yield b"never"


def wrap_file(environ, start_response, query):
    (HERE / "served").write_bytes(content(200_000))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](open(HERE / "served", "rb"), 1000)


def hints(environ, start_response, query):
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    return text_answer(start_response, "hinted")


def wait(environ, start_response, query):
    """Note the request, then wait until the test opens its gate."""
    note("begun " + query["gate"])
    wait_for_gate(query["gate"])
    note("ended " + query["gate"])
    return text_answer(start_response, query["gate"])


def note_it(environ, start_response, query):
    note(query["text"])
    return text_answer(start_response, query["text"])


def spin(environ, start_response, query):
    note("spinning")
    while True:
        pass


def fail(environ, start_response, query):
    raise RuntimeError("as wished")


ROUTES = {
    "": hello,
    "about": about,
    "big": big,
    "change-mind": change_mind,
    "closing": closing,
    "converse": converse,
    "digest": digest,
    "echo": echo,
    "crash": crash,
    "environ": show_environ,
    "fail": fail,
    "file": wrap_file,
    "flood": flood,
    "hints": hints,
    "lines": lines,
    "note": note_it,
    "pid": pid,
    "spin": spin,
    "stream": stream,
    "swallow": swallow,
    "too-late": too_late,
    "wait": wait,
    "write": use_write,
}


def application(environ, start_response):
    """Do what the first segment of the path names."""
    name = environ["PATH_INFO"].lstrip("/").partition("/")[0]
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    answer = ROUTES.get(name, show_environ)
    return answer(environ, start_response, {key: query[key][0] for key in query})


validated = validator(application)
