"""An app behind a proxy: it says what it was told, and has files sent.

Runs in: app spawners and workers.  Standard library only, Python 3.9 and newer.
"""

import hashlib
import json
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 60  # seconds, so that no process outlives a test that went wrong


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/photo":
        start_response("200 OK", [("X-Accel-Redirect", "/protected/photo.jpg")])
        return [b"whoever sees this got no photo"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return stream()
    if path == "/digest":
        return digest(environ, start_response)
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    return text(start_response, json.dumps(told))


def text(start_response, body):
    body = body.encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
    )
    return [body]


def digest(environ, start_response):
    found = hashlib.sha256()
    while True:
        piece = environ["wsgi.input"].read(1 << 16)
        if not piece:
            return text(start_response, found.hexdigest())
        found.update(piece)


def stream():
    """An event at once, and another one when the test opens the gate."""
    yield b"data: first\n\n"
    end = time.monotonic() + PATIENCE
    while not (HERE / "gate").exists() and time.monotonic() < end:
        time.sleep(0.005)
    yield b"data: second\n\n"
