"""Apps that do to their process what they should not."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.processes import is_alive
from passtwist.testing.waiting import wait_until
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


def test_a_worker_that_somebody_else_terminates_finishes_all_its_requests(tmp_path):
    """Also when a thread of it that had nothing to do has left before."""
    site = Site(tmp_path, threads=2)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        answer = client.submit(server.get, "/wait?gate=a")
        site.wait_for_notes("begun a")
        (worker,) = server.workers("probe")
        os.kill(worker["pid"], signal.SIGTERM)
        server.wait_for_log(f"worker {worker['pid']} of probe can't be reached")
        successor = server.get("/pid").text
        assert successor != str(worker["pid"])
        # Longer than the moment that a dying worker is given.
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1.5, "that moment to pass")
        site.open_gate("a")
        assert answer.result(30).text == "a"
        wait_until(lambda: not is_alive(worker["pid"]), "the worker to leave")
        server.wait_for_log(f"worker {worker['pid']} of probe exited with status 0")


def test_an_app_that_handles_term_by_sys_exit_leaves_in_peace(tmp_path):
    """Its atexit functions run, which is why apps do that."""
    site = Site(tmp_path)
    site.write(
        "passenger_wsgi.py",
        "import atexit, os, signal, sys\n"
        "def application(environ, start_response):\n"
        "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "    atexit.register(lambda: open('left', 'w').close())\n"
        "    start_response('200 OK', [])\n"
        "    return [str(os.getpid()).encode()]\n",
    )
    with serve(tmp_path, site) as server:
        worker = server.get("/").text
        assert server.stop() == 0
        server.wait_for_log(f"worker {worker} of probe exited with status 0\n")
    assert (site.root / "left").exists()
