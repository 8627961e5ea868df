"""Apps that do to their process what they should not."""

from __future__ import annotations

import pytest

from tests.integration.sites import Site, serve

STREAMS = """
import os, sys, threading, time


class Broken:
    def write(self, text):
        raise RuntimeError("not today")

    flush = write


def replaced():
    sys.stdout = sys.stderr = Broken()


def closed():
    sys.stdout.close()
    sys.stderr.close()


def gone():
    sys.stdout = sys.stderr = None


def application(environ, start_response):
    if environ["PATH_INFO"] == "/pid":
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    # The interpreter would wait for this one before it ended.
    threading.Thread(target=time.sleep, args=(60,)).start()
    globals()[environ["PATH_INFO"][1:]]()
    raise ValueError("and nowhere to say it")
"""


@pytest.mark.parametrize("kind", ["replaced", "closed", "gone"])
def test_an_app_without_proper_streams_fails_one_request_and_not_its_worker(
    tmp_path, kind
):
    """The worker serves on, and leaves in peace when it is asked to."""
    site = Site(tmp_path)
    site.write("passenger_wsgi.py", STREAMS)
    with serve(tmp_path, site) as server:
        worker = server.get("/pid").text
        assert server.get(f"/{kind}").status == 500
        assert server.get("/pid").text == worker
        assert server.stop() == 0
        server.wait_for_log(f"worker {worker} of probe exited with status 0\n")
