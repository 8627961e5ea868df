"""The commands about requests and single workers, with a server that is played."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from passtwist.cli.main import main
from passtwist.cli.requests import SHOWN, visible


@contextmanager
def answering(folder, status, answer):
    """An admin socket in *folder* that gives one answer; what it was asked."""
    asked = []
    body = json.dumps(answer).encode()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(folder, "admin.sock"))
        listener.listen()
        listener.settimeout(30)

        def serve():
            connection, _ = listener.accept()
            with connection:
                asked.append(whole_request(connection))
                head = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % (status, len(body)) + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(30)


def whole_request(connection):
    """Head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\nContent-Length: (\d+)", head)
    while len(body) < int(found[1] if found else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def run(tmp_path):
    """Run a command against a server that gives *answer*; what came of it."""

    def run(*arguments, answer, status=200):
        with answering(tmp_path, status, answer) as asked:
            told = [*arguments, "--runtime-dir", str(tmp_path)]
            done = CliRunner(env={"COLUMNS": "500"}).invoke(
                main, told, catch_exceptions=False
            )
        head, _, body = asked[0].partition(b"\r\n\r\n")
        run.asked = (head.split(b" HTTP/")[0].decode(), json.loads(body or "null"))
        return done

    return run


def request(**fields):
    return {
        "number": 1,
        "app": "shop",
        "pid": 4711,
        "state": "running",
        "method": "GET",
        "path": "/",
        "attempts": 1,
        "age_s": 3.0,
        "waited_s": 0.5,
        "runs_s": 2.5,
        **fields,
    }


def test_what_clients_ask_for_can_not_steer_the_terminal(run):
    """Control characters are shown as escapes; nothing is markup."""
    path = "/\x1b[31m\x9b2J\r\n[red]\u202e"
    done = run("requests", answer={"requests": [request(path=path)]})
    assert run.asked == ("GET /v1/requests", None)
    assert (done.exit_code, done.stderr) == (0, "")
    shown = done.stdout.splitlines()[1].split()
    assert shown == [
        *("shop", "4711", "running", "3.0", "s", "500", "ms", "2.5", "s", "GET"),
        r"/\x1b[31m\x9b2J\r\n[red]\u202e",
    ]


def test_a_long_path_is_cut_for_people(run):
    """Programs get all of it."""
    found = {"requests": [request(path="/" + "x" * 1000)]}
    shown = run("requests", answer=found).stdout.split()[-1]
    assert shown == "/" + "x" * (SHOWN - 4) + "..."
    assert len(shown) == SHOWN


def test_requests_for_programs(run):
    """The server's JSON, nothing else."""
    found = {"requests": [request(path="/\x1b"), request(pid=0, runs_s=None)]}
    done = run("requests", "--json", answer=found)
    assert (done.exit_code, json.loads(done.stdout)) == (0, found)


@pytest.mark.parametrize(
    ("command", "sessions", "said"),
    [
        ("detach", 0, "leaves when it has done what it has: no request"),
        ("detach", 1, "leaves when it has done what it has: 1 request"),
        ("detach", 2, "leaves when it has done what it has: 2 requests"),
        ("disable", 2, "gets no more requests; it has: 2 requests"),
        ("enable", 0, "gets requests again"),
    ],
)
def test_orders_for_a_worker(run, command, sessions, said):
    """The pid goes to the server, and what was done is told."""
    answer = {"pid": 4711, "app": "shop", "sessions": sessions}
    done = run(command, "4711", answer=answer)
    assert run.asked == (f"POST /v1/{command}", {"pid": 4711})
    assert (done.exit_code, done.stdout, done.stderr) == (
        0,
        f"worker 4711 of shop: {said}\n",
        "",
    )


@pytest.mark.parametrize("command", ["detach", "disable", "enable", "backtrace"])
def test_a_refusal_ends_the_command(run, command):
    """Exit status 1, with the server's reason."""
    reason = {"error": "no worker of this server has the pid 1"}
    done = run(command, "1", answer=reason, status=404)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: no worker of this server has the pid 1\n"


@pytest.mark.parametrize("command", ["detach", "disable", "enable", "backtrace"])
def test_what_is_no_pid_is_refused_by_the_command_itself(command):
    """Exit status 2, as for every wrong command line."""
    done = CliRunner().invoke(main, [command, "shop"])
    assert done.exit_code == 2
    assert "'shop' is not a valid integer" in done.stderr


def test_stacks_are_printed_as_they_came(run):
    """But for what could steer the terminal: names of threads are the app's."""
    stacks = "Thread 0x1 [a\x1b[31m] (most recent call first):\n  File a, line 1\n"
    answer = {"pid": 4711, "process": "worker 4711 of shop", "stacks": stacks}
    done = run("backtrace", "4711", answer=answer)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "worker 4711 of shop:\n\n"
        "Thread 0x1 [a\\x1b[31m] (most recent call first):\n  File a, line 1\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/straße", "/straße"),
        ("a b", "a b"),
        ("\x00\x7f\x85", r"\x00\x7f\x85"),
        ("\u2028\ue000", r"\u2028\ue000"),
    ],
)
def test_what_is_visible(text, shown):
    """Letters of every language are."""
    assert visible(text) == shown
