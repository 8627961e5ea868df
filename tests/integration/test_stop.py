"""How the server starts and ends: statuses, signals, and nothing left."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.server import CUT_OFF, TWISTD, RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_request_is_finished_first(tmp_path, number):
    """Then the server ends with status 0; new connections are refused at once."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        answer = client.submit(server.get, "/wait?gate=a")
        site.wait_for_notes("begun a")
        server.process.send_signal(number)
        server.wait_for_log("asked to stop: finishing what runs")
        wait_until(lambda: refuses(server), "the listener to be closed")
        site.open_gate("a")
        assert answer.result(30).text == "a"
        assert server.wait_for_exit() == 0
        server.assert_nothing_left()


def ended(client):
    """The connection has ended without an answer that could be taken for one."""
    try:
        return client.recv(65536) == b""
    except ConnectionResetError:
        return True


def refuses(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_twice_it_does_not_wait_for_requests(tmp_path, number):
    """The stuck worker is killed, and the status says that a request was cut off."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        with server.connect() as client:
            client.sendall(b"GET /spin HTTP/1.1\r\nHost: x\r\n\r\n")
            site.wait_for_notes("spinning")
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_log("asked to stop: finishing what runs")
            server.process.send_signal(number)
            assert server.wait_for_exit() == CUT_OFF
            assert ended(client)
        server.assert_nothing_left()


def test_requests_that_are_not_done_in_time_are_ended(tmp_path):
    """After shutdown_timeout, as if it had been asked twice."""
    site = Site(tmp_path)
    with serve(tmp_path, site, shutdown_timeout="200ms") as server:
        with server.connect() as client:
            client.sendall(b"GET /spin HTTP/1.1\r\nHost: x\r\n\r\n")
            site.wait_for_notes("spinning")
            assert server.stop() == CUT_OFF
        server.assert_nothing_left()


def test_it_stops_cleanly_amid_load_on_many_kept_connections(tmp_path):
    """Every answer is whole and right; status 0; no process, socket or file."""
    site = Site(tmp_path, min_instances=6)
    answered = []
    with serve(tmp_path, site, max_pool_size=6) as server:

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
            while True:
                try:
                    connection.request("GET", "/big?size=3000")
                    response = connection.getresponse()
                    answered.append((response.status, len(response.read())))
                    if response.will_close:
                        break
                except (OSError, http.client.BadStatusLine) as error:
                    # Closed between two requests: nothing was begun.
                    assert not isinstance(error, TimeoutError)
                    break
            connection.close()

        clients = [threading.Thread(target=ask) for _ in range(32)]
        for client in clients:
            client.start()
        wait_until(lambda: len(answered) >= 600, "some hundred answers")
        status = server.stop()
        for client in clients:
            client.join()
        assert status == 0
        assert set(answered) == {(200, 3000)}
        server.assert_nothing_left()
        assert "Traceback" not in server.log()
        assert "Unhandled" not in server.log()


def test_idle_connections_do_not_delay_the_end(tmp_path):
    """A kept one, and one that has said nothing."""
    with serve(tmp_path, Site(tmp_path)) as server:
        kept = server.connect()
        kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        silent = server.connect()
        assert server.stop(patience=10) == 0
        kept.close()
        silent.close()


def test_it_stops_while_an_app_is_starting(tmp_path):
    """The spawn is called off; a request that waits for it is not left hanging."""
    site = Site(tmp_path)
    site.write(
        "passenger_wsgi.py",
        "open('loading', 'w').close()\nwhile True:\n    pass\n",
    )
    with serve(tmp_path, site, shutdown_timeout="300ms") as server:
        with server.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until((site.root / "loading").exists, "the app that never loads")
            assert server.stop() == CUT_OFF
            assert ended(client)
        server.assert_nothing_left()


def test_a_daemon_starts_serves_and_stops(tmp_path):
    """twistd without -n, with --pidfile and --logfile: all goes to the log."""
    site = Site(tmp_path)
    server = serve(tmp_path, site)
    pid_file, log_file = tmp_path / "pid", server.log_file
    command = [
        sys.executable,
        *TWISTD,
        f"--pidfile={pid_file}",
        f"--logfile={log_file}",
        *server.arguments,
    ]
    started = subprocess.run(
        command, cwd=tmp_path, capture_output=True, timeout=30, check=False
    )
    assert (started.returncode, started.stdout, started.stderr) == (0, b"", b"")
    pid = int(wait_until(lambda: pid_file.exists() and pid_file.read_text(), "a pid"))
    try:
        server.port = wait_until(
            lambda: (
                int(found[1])
                if (found := re.search(r" on http://127\.0\.0\.1:(\d+)/", server.log()))
                else 0
            ),
            "the server to listen",
        )
        assert server.get("/").text == "hello from probe"
        assert server.status()["pid"] == pid
        # A daemon's umask is 077; an app's is its own.
        assert json.loads(server.get("/about").text)["umask"] == 0o022
        os.kill(pid, signal.SIGUSR2)
        server.wait_for_log("state: {")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not pid_file.exists(), "the pid file to be removed")
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the daemon to end")
        assert "passtwist has stopped" in server.log()
        assert not server.processes()
        assert not server.runtime_dir.exists()
    finally:
        if pid_file.exists():
            os.kill(pid, signal.SIGKILL)
        server.remove()


def test_usr2_writes_the_state_into_the_log(tmp_path):
    """The same as the status page, for when the admin socket can't be reached."""
    with serve(tmp_path, Site(tmp_path)) as server:
        assert server.get("/").status == 200
        server.process.send_signal(signal.SIGUSR2)
        log = server.wait_for_log('"spawn_method_reason"')
        assert f'"pid": {server.process.pid}' in log
        assert server.get("/").status == 200


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_for_something_else_does_not_end_it(tmp_path, number):
    """HUP and USR1 are answered; requests go on."""
    with serve(tmp_path, Site(tmp_path)) as server:
        server.process.send_signal(number)
        assert server.get("/").status == 200
        assert server.stop() == 0


def assert_refused(args, *texts, cwd):
    """The server ends at once, says why once, and leaves nothing."""
    server = RunningServer(*args, cwd=str(cwd))
    try:
        server.launch()
        status = server.wait_for_exit()
        log = server.log()
        said = [line for line in log.splitlines() if all(t in line for t in texts)]
        # On standard error, and in the log once it is open.
        assert len({line.partition("can't start: ")[2] for line in said}) == 1
        assert status == 1
        assert "Traceback" not in log
        assert not server.processes()
    finally:
        server.remove()


def test_a_runtime_directory_in_use_is_refused_and_names_who_uses_it(tmp_path):
    """The other server does not notice."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        folder = f"--runtime-dir={server.runtime_dir}"
        assert_refused(
            [folder, str(site.root)],
            f"another passtwist (pid {server.process.pid}) uses runtime_dir",
            str(server.runtime_dir),
            cwd=tmp_path,
        )
        assert server.get("/").status == 200
        assert server.status()["pid"] == server.process.pid


def test_a_port_in_use_is_refused_by_name(tmp_path):
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        listen = f"--listen=tcp:{server.port}:interface=127.0.0.1"
        assert_refused(
            [listen, str(site.root)],
            f"tcp:{server.port}:interface=127.0.0.1",
            "Address already in use",
            cwd=tmp_path,
        )


def test_a_runtime_directory_whose_name_is_too_long_for_a_socket_is_refused(tmp_path):
    """Before anything is started, with the other problems of the settings."""
    site = Site(tmp_path)
    folder = tmp_path / ("x" * 90)
    assert_refused(
        [f"--runtime-dir={folder}", str(site.root)],
        f'runtime_dir: "{folder}" is too long for the sockets in it',
        cwd=tmp_path,
    )
    assert not folder.exists()


def test_a_runtime_directory_that_can_not_be_made_is_refused(tmp_path):
    """Root may write everywhere, but nobody below a file."""
    site = Site(tmp_path)
    # Not in tmp_path, whose name may be too long for a socket's.
    with tempfile.NamedTemporaryFile(prefix="ptw-") as file:
        folder = f"{file.name}/run"
        assert_refused(
            [f"--runtime-dir={folder}", str(site.root)],
            f"runtime_dir {folder}",
            "Not a directory",
            cwd=tmp_path,
        )


def test_what_will_surprise_is_warned_of_at_the_start(tmp_path):
    """Whoever starts it by twistd sees what `passtwist check` would have said."""
    site = Site(tmp_path, min_instances=2)
    with serve(tmp_path, site, max_pool_size=1) as server:
        log = server.wait_for_log("max_pool_size: ")
    assert "the apps' min_instances add up to 2" in log
