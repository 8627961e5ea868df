"""The controller's end of one session, for tests in one process."""

from __future__ import annotations

import array
import socket
import threading

from passtwist.wire import session
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.worker.requests import RequestReader
from passtwist.worker.wsgi import WsgiHalf

PATIENCE = 20.0  # seconds


class Controller:
    """Sends requests, lets an app answer them, reads the frames."""

    def __init__(self, ours, theirs):
        self.ours = ours
        self.theirs = theirs
        ours.settimeout(PATIENCE)
        self.reader = RequestReader(theirs)

    def send(self, body=b"", number=1, last=True, **pairs):
        """Send a request in as few frames as it can."""
        given = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SCRIPT_NAME": "", **pairs}
        flat = [text.encode("latin-1") for pair in given.items() for text in pair]
        flags = 0 if body or not last else session.LAST
        data = session.encode_request_start(number, flat, flags)
        self.ours.sendall(data + (session.encode_body(body, last) if body else b""))

    def send_file(self, descriptor, length, **pairs):
        """Send a request whose body is a file."""
        given = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "SCRIPT_NAME": "", **pairs}
        flat = [text.encode("latin-1") for pair in given.items() for text in pair]
        rights = array.array("i", [descriptor])
        self.ours.sendmsg(
            [session.encode_request_start(1, flat), session.encode_body_file(length)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],
        )

    def run(self, app, **pairs):
        """One request without a body: the frames of its answer.

        :returns: pairs (kind, flags, payload), and whether the connection is
            still of use.
        """
        self.send(**pairs)
        return self.answer(app)

    def answer(self, app, multithread=False):
        """Let *app* answer the request that was sent."""
        frames = []
        reading = threading.Thread(target=self._collect, args=(frames,))
        reading.start()
        try:
            half = WsgiHalf(app, multithread)
            is_usable = half.answer(self.theirs, self.reader.read())
            self.theirs.shutdown(socket.SHUT_WR)
        finally:
            reading.join()
        return frames, is_usable

    def run_half(self, half):
        """One more request on the same connection: the frames of its answer."""
        self.send()
        assert half.answer(self.theirs, self.reader.read())
        reader = FrameReader(MAX_SESSION_PAYLOAD, session.BODY)
        frames = reader.feed(self.ours.recv(1 << 16))
        while not (frames[-1][0] == session.END or frames[-1][1] & session.LAST):
            frames += reader.feed(self.ours.recv(1 << 16))
        return frames

    def _collect(self, frames):
        reader = FrameReader(MAX_SESSION_PAYLOAD, session.BODY)
        while data := self.ours.recv(1 << 16):
            frames.extend(reader.feed(data))
