"""Load by wrk."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load.wrk import wrk


class Answering(BaseHTTPRequestHandler):
    """Refuses all below /refused."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(503 if self.path == "/refused" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing to tell."""


@pytest.fixture
def url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.debian("wrk")
def test_refusals_are_no_requests_that_were_served(url):
    """A server that refuses fast would be the best of all."""
    refused = wrk(f"{url}/refused", 1, connections=2)
    assert (refused.rate, refused.requests) == (0, 0)
    assert refused.errors > 0
    served = wrk(f"{url}/", 1, connections=2)
    assert served.requests > 0
    assert served.errors == 0
