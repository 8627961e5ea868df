"""Stopping step by step, sending clients away, and what the exit status says."""

from __future__ import annotations

import http.client
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.server import CUT_OFF, RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.admin import ask, order
from tests.integration.commands import complaint, output
from tests.integration.sites import Site, serve

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def closes(response):
    return response.headers.get("Connection") == "close"


def begin(server, path):
    """A connection on which *path* is asked for."""
    client = server.connect()
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return client


def read_all(client):
    """What comes until the connection ends, however it does."""
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    client.close()
    return data


# --- drain and undrain ----------------------------------------------------------


def test_a_drained_server_serves_and_sends_away(tmp_path):
    """Readiness, status and each answer say so, until it is undrained."""
    with serve(tmp_path, Site(tmp_path)) as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        kept.request("GET", "/")
        kept.getresponse().read()
        assert ask(server, "ready") == (200, {"ready": True})
        assert server.status()["draining"] is False

        assert output(server, "drain") == "draining\n"
        assert ask(server, "ready") == (503, {"error": "draining"})
        assert server.status()["draining"] is True
        assert output(server, "drain") == "it is draining already\n"
        assert "draining: clients are sent away\n" in output(server, "status")
        answer = server.get("/")
        assert (answer.status, answer.text, closes(answer)) == (
            200,
            "hello from probe",
            True,
        )
        # The idle one was not ended under its client, but by the next answer.
        kept.request("GET", "/")
        response = kept.getresponse()
        assert (response.status, response.will_close) == (200, True)
        response.read()
        kept.close()

        assert output(server, "undrain") == "not draining\n"
        assert ask(server, "ready") == (200, {"ready": True})
        assert server.status()["draining"] is False
        assert output(server, "undrain") == "it was not draining\n"
        assert not closes(server.get("/"))
        assert server.stop() == 0


def test_readiness_is_told_while_all_workers_are_busy(tmp_path):
    """The controller answers it itself."""
    site = Site(tmp_path)
    with (
        serve(tmp_path, site, max_pool_size=1) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        answers = [clients.submit(server.get, f"/wait?gate={one}") for one in "ab"]
        wait_until(lambda: server.app("probe")["queue"] == 1, "a request to wait")
        assert ask(server, "ready") == (200, {"ready": True})
        for one in "ab":
            site.open_gate(one)
        assert [answer.result().text for answer in answers] == ["a", "b"]


def test_a_command_for_draining_takes_no_arguments(tmp_path):
    with serve(tmp_path, Site(tmp_path)) as server:
        refusal = {"error": "there is no argument 'now'; there are: none"}
        for command in ("drain", "undrain", "reload"):
            assert order(server, command, {"now": True}) == (400, refusal)


# --- stopping, step by step -----------------------------------------------------


def test_with_a_drain_delay_it_goes_on_accepting_for_a_while(tmp_path):
    """Readiness flips first; new connections are served, and sent away."""
    with serve(tmp_path, Site(tmp_path), drain_delay="1h") as server:
        server.get("/")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("still accepting for 3600.0 s")
        assert ask(server, "ready") == (503, {"error": "the server is stopping"})
        answer = server.get("/")
        assert (answer.status, closes(answer)) == (200, True)
        stopping = {"error": "the server is stopping"}
        assert order(server, "undrain", {}) == (409, stopping)
        assert order(server, "reload", {}) == (409, stopping)
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for_exit() == 0, "nothing was under way"
        server.assert_nothing_left()


def test_the_delay_ends_by_itself(tmp_path):
    """Then it stops accepting, and finishes what it has."""
    site = Site(tmp_path)
    with serve(tmp_path, site, drain_delay="100ms") as server:
        client = begin(server, "/wait?gate=a")
        site.wait_for_notes("begun a")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("still accepting for 0.1 s")
        wait_until(lambda: refuses(server), "the listener to be closed")
        site.open_gate("a")
        assert read_all(client).endswith(b"\r\n\r\na")
        assert server.wait_for_exit() == 0


def refuses(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_server_that_was_drained_before_has_waited_already(tmp_path):
    """The delay is for balancers, and they have known for as long."""
    with serve(tmp_path, Site(tmp_path), drain_delay="100ms") as server:
        assert order(server, "drain", {}) == (200, {"changed": True})
        wait_until(lambda: server.status()["draining"], "the draining")
        drained_at = server.status()["uptime_s"]
        wait_until(
            lambda: server.status()["uptime_s"] > drained_at + 0.1, "the delay to pass"
        )
        assert server.stop() == 0
        assert "still accepting" not in server.log()


def test_who_has_connected_before_the_port_is_closed_is_served(tmp_path):
    """Though the server had not accepted yet: closing would reset them."""
    with serve(tmp_path, Site(tmp_path)) as server:
        server.get("/")
        os.kill(server.process.pid, signal.SIGSTOP)
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.sendall(GET)
        os.kill(server.process.pid, signal.SIGTERM)
        os.kill(server.process.pid, signal.SIGCONT)
        for client in clients:
            assert read_all(client).startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.wait_for_exit() == 0


def test_queued_requests_are_finished_too(tmp_path):
    """They came before the signal; a worker is there for them."""
    site = Site(tmp_path)
    with (
        serve(tmp_path, site, max_pool_size=1) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        answers = [pool.submit(server.get, f"/wait?gate={one}") for one in "abc"]
        wait_until(lambda: server.app("probe")["queue"] == 2, "two to wait")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("asked to stop: finishing what runs")
        for one in "abc":
            site.open_gate(one)
        assert sorted(answer.result().text for answer in answers) == ["a", "b", "c"]
        assert server.wait_for_exit() == 0


# --- the exit status ------------------------------------------------------------


def test_requests_that_are_cut_off_are_counted_in_log_and_status(tmp_path):
    """Time was up for a running and for a queued one."""
    site = Site(tmp_path)
    with serve(tmp_path, site, max_pool_size=1, shutdown_timeout="200ms") as server:
        clients = [begin(server, "/spin")]
        site.wait_for_notes("spinning")
        clients.append(begin(server, "/spin"))
        wait_until(lambda: server.app("probe")["queue"] == 1, "one to wait")
        assert server.stop() == CUT_OFF
        assert [read_all(client) for client in clients] == [b"", b""]
        assert "time is up: 2 request(s) are cut off" in server.log()
        server.assert_nothing_left()


def test_work_whose_client_has_left_is_not_lost_unnoticed(tmp_path):
    """Its worker is killed in the middle of it."""
    site = Site(tmp_path)
    with serve(tmp_path, site, shutdown_timeout="200ms") as server:
        client = begin(server, "/spin")
        site.wait_for_notes("spinning")
        client.close()
        server.wait_for_log('"GET /spin HTTP/1.1" 499')
        assert server.stop() == CUT_OFF
        assert "1 request(s), whose clients have left, are cut off" in server.log()


def test_a_worker_whose_time_is_up_may_clean_up(tmp_path):
    """It is asked to leave before it is killed, and finishes what it has begun."""
    site = Site(tmp_path, entry="cleaner:application")
    site.write("cleaner.py", CLEANER)
    with serve(tmp_path, site, shutdown_timeout="2s") as server:
        client = begin(server, "/wait?gate=a")
        site.wait_for_notes("begun a")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("1 request(s) are cut off")
        site.open_gate("a")
        assert server.wait_for_exit() == CUT_OFF
        assert read_all(client) == b""
        assert "cleaned up" in site.notes()


CLEANER = """
import atexit
from passenger_wsgi import application, note

atexit.register(note, "cleaned up")
"""


@pytest.mark.parametrize("how", ["tac", "flags"])
def test_the_status_is_the_same_however_the_server_is_started(tmp_path, how):
    """A tac file, or the command line."""
    site = Site(tmp_path)
    told = {"shutdown_timeout": "100ms", "listen": ["tcp:0:interface=127.0.0.1"]}
    server = serve(tmp_path, site, **told)
    if how == "tac":
        tac = tmp_path / "site.tac"
        tac.write_text(
            "from twisted.application.service import Application\n"
            "from passtwist.assembly import make_service\n"
            "application = Application('site')\n"
            f"make_service({str(tmp_path / 'passtwist.toml')!r})"
            ".setServiceParent(application)\n"
        )
        server.remove()
        server = RunningServer(tac=str(tac), before=["--no_save"])
    with server:
        client = begin(server, "/spin")
        site.wait_for_notes("spinning")
        assert server.stop() == CUT_OFF
        assert read_all(client) == b""
        server.start()
        assert server.get("/").status == 200
        assert server.stop() == 0


def test_the_commands_say_when_there_is_no_server(tmp_path):
    server = serve(tmp_path, Site(tmp_path))
    for command in ("drain", "undrain", "reload"):
        assert complaint(server, command).startswith("no server is running with")
    server.remove()
