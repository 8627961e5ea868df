"""The `passtwist` command, as people use it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from passtwist import __version__
from passtwist.api.flags import flags
from passtwist.cli.main import main
from passtwist.cli.serve import twistd_command
from passtwist.cli.status import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty folder, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith("PASSTWIST_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return run


def outcome(result: Result) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    return result.exit_code, result.stdout, result.stderr


def test_the_version(run):
    """On standard output."""
    assert outcome(run("--version")) == (0, f"passtwist, version {__version__}\n", "")


def test_the_command_imports_neither_twisted_nor_rich():
    """A command that answers at once is used more often."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import passtwist.cli.main"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "passtwist.cli.main" in imported
    packages = {name.partition(".")[0] for name in imported}
    assert packages & {"twisted", "rich", "pytest"} == set()


# --- check ---------------------------------------------------------------------


def test_check_prints_all_problems_of_the_settings(run, tmp_path):
    """Exit status 1; nothing on standard output."""
    (tmp_path / "passtwist.toml").write_text("[server]\nproxy_hops = 0\nx = 1\n")
    assert outcome(run("check")) == (
        1,
        "",
        (
            "Error: 3 problems in passtwist.toml:\n"
            "  there is no app; write a line [[app]] and below it a line root = "
            '"/path/of/the/app"\n'
            "  [server]: proxy_hops: 0 is too small; write a whole number from 1 "
            "to 100\n"
            "  [server]: x: there is no such key\n"
        ),
    )


def test_check_looks_into_each_app(run, tmp_path):
    """One that can't be started is a problem; the others are looked into too."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good/app.py").write_text(FLASK)
    (tmp_path / "my.toml").write_text(
        '[[app]]\nroot = "gone"\nbase_uri = "/gone"\n[[app]]\nroot = "good"\n'
    )
    assert outcome(run("check", "my.toml")) == (
        1,
        (
            f"problem: app gone in {tmp_path}/gone: root does not exist; make the "
            "folder or correct root\n"
            f"app good: flask at /, entry app:app, {sys.executable}\n"
        ),
        "Error: 1 of 2 apps can't be started\n",
    )


def test_check_finds_nothing(run, tmp_path):
    """Exit status 0."""
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "passtwist.toml").write_text('[[app]]\nname = "it"\nroot = "."\n')
    assert outcome(run("check")) == (
        0,
        (
            f"app it: flask at /, entry app:app, {sys.executable}\n"
            "passtwist.toml: no problems\n"
        ),
        "",
    )


def test_check_looks_at_the_endpoints(run, tmp_path):
    """As far as that can be done without listening."""
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "passtwist.toml").write_text(
        "[server]\n"
        'listen = ["tcp:80:bind=x", "unix:/run/x:group=no-such", "tls:/no/certs", '
        '"systemd:domain=INET:name=web", "pigeon:1", "tcp:8080"]\n'
        '[[app]]\nname = "it"\nroot = "."\n'
    )
    assert outcome(run("check")) == (
        1,
        (
            f"app it: flask at /, entry app:app, {sys.executable}\n"
            "problem: can't listen on tcp:80:bind=x: not an endpoint: tcp: got an "
            "unexpected keyword argument 'bind'; tcp: takes port, interface, backlog\n"
            "problem: can't listen on unix:/run/x:group=no-such: there is no group "
            "'no-such'; make it first\n"
            "problem: can't listen on tls:/no/certs: /no/certs: No such file or "
            "directory; it takes a certificate and its key, in PEM files that the "
            "server may read\n"
        ),
        "Error: the server can't be started\n",
    )


def test_check_names_a_broken_plugin(run, tmp_path):
    """As the server would."""
    (tmp_path / "mine.py").write_text("1 / 0")
    (tmp_path / "passtwist.toml").write_text(
        '[server]\nplugin_files = ["mine.py"]\n[[app]]\nroot = "."\n'
    )
    assert outcome(run("check")) == (
        1,
        "",
        (
            f"Error: plugin 'mine' (from {tmp_path}/mine.py): import: raised "
            "ZeroDivisionError: division by zero\n"
        ),
    )


def test_check_looks_at_the_folders_of_the_server(run, tmp_path):
    """All of them at once, with what is wrong with the apps."""
    (tmp_path / "passtwist.toml").write_text(
        '[server]\nerror_pages = "errors"\nspool_dir = "spool"\n'
        '[[app]]\nname = "it"\nroot = "gone"\n'
    )
    status, out, error = outcome(run("check"))
    _, *problems = out.splitlines()
    assert (status, problems, error) == (
        1,
        [
            (
                f"problem: [server]: error_pages: {tmp_path}/errors: No such file or "
                "directory; write the path of a folder whose files the server's user "
                "can read"
            ),
            (
                f"problem: [server]: spool_dir: {tmp_path}/spool: No such file or "
                "directory; name a folder that the server may write to"
            ),
        ],
        "Error: 1 of 1 apps can't be started\n",
    )


# --- explain -------------------------------------------------------------------


def test_explain_shows_what_was_found_and_why(run, tmp_path):
    """One line for each decision, its reason below."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/app.py").write_text(FLASK)
    version = importlib.metadata.version("flask")
    result = run("explain", "shop", "--environment=development")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    key = lines.pop(10)
    assert key.startswith("framework key: ")
    assert key.split(" | ")[1:4] == [sys.executable, "flask", version]
    assert lines.pop(10).startswith(f"                 (Flask {version} is in ")
    if os.geteuid() == 0:
        who, why = lines.pop(-2), lines.pop()
        assert who.startswith("user:          nobody (uid ")
        assert why.startswith("                 (its startup file belongs to root; ")
    assert lines == [
        "app:           shop",
        f"root:          {tmp_path}/shop",
        "framework:     flask",
        "                 (app.py calls Flask(); app.py defines app)",
        "entry:         app:app",
        "                 (from app.py)",
        f"interpreter:   {sys.executable}",
        "                 (there is no .venv or venv in the app's folder, so our own)",
        "spawn method:  smart-lv2",
        (
            "                 (auto was asked for; no other app has used this flask "
            "yet, so a framework spawner would save nothing, and smart is smart-lv2)"
        ),
        "environment:   development",
        "                 (sets FLASK_DEBUG, PASSENGER_APP_ENV, WSGI_ENV)",
    ]


def test_explain_says_why_smart_is_not_smart(run, tmp_path):
    """The reason that `status` would give."""
    (tmp_path / "passenger_wsgi.py").write_text("")
    result = run("explain", ".", "-s", "smart")
    assert result.stdout.splitlines()[8:12] == [
        "spawn method:  smart-lv2",
        (
            "                 (smart was asked for; plain WSGI has no framework layer, "
            "so smart is smart-lv2)"
        ),
        "framework key: none",
        "                 (wsgi has no framework layer)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "app gone in {}/gone: root does not exist; make the folder or"),
        (["."], "nothing was detected; looked for django, flask, wsgi"),
        ([".", "--framework=djago"], "no plugin has 'djago'; did you mean \"django\"?"),
        ([".", "--threads=0"], "--threads: 0 is too small; write a whole number"),
    ],
)
def test_explain_says_what_is_missing(run, tmp_path, arguments, message):
    """Exit status 1."""
    code, out, err = outcome(run("explain", *arguments))
    assert (code, out) == (1, "")
    assert message.format(tmp_path) in err


# --- plugins -------------------------------------------------------------------


def test_plugins_lists_what_is_provided_and_by_whom(run):
    """One line for each."""
    result = run("plugins")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [re.split(r" {2,}", line.strip()) for line in result.stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        ["KIND", "NAME", "FROM"],
        *(
            ["spawn method", name, f"passtwist {__version__}"]
            for name in ("auto", "conservative, direct", "smart", "smart-lv2")
        ),
        *(
            ["framework", name, f"passtwist {__version__}"]
            for name in ("django", "flask", "wsgi")
        ),
        *(
            ["restart trigger", name, f"passtwist {__version__}"]
            for name in ("autoreload", "restart-txt")
        ),
    ]


def test_plugins_takes_a_file(run, tmp_path):
    """And says when it is broken."""
    (tmp_path / "mine.py").write_text("import nothing_of_this_name")
    code, out, err = outcome(run("plugins", "--plugin-file", "mine.py"))
    assert (code, out) == (1, "")
    assert err == (
        f"Error: plugin 'mine' (from {tmp_path}/mine.py): import: raised "
        "ModuleNotFoundError: No module named 'nothing_of_this_name'\n"
    )


# --- serve ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-l", "8080"], '--listen: "8080" is no endpoint; write "tcp:8080"'),
        (["-c", "none.toml"], "the file can't be read: No such file or directory"),
        (["-c", "none.toml", "folder"], "none.toml and folders are given together"),
    ],
)
def test_serve_refuses_wrong_settings_itself(run, arguments, message):
    """In full, before anything is started."""
    code, out, err = outcome(run("serve", *arguments))
    assert (code, out) == (1, "")
    assert message in err


def test_serve_becomes_twistd_with_the_same_flags(run, tmp_path, monkeypatch):
    """Whatever is given to it reaches the server as it is."""
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, command: started.append(command))
    run("serve", "-x", ".")
    assert started == []
    result = run(
        "serve", "-l", "tcp:1", "-l", "tcp:2", "-s", "direct", "./", "--", "-x"
    )
    assert outcome(result) == (0, "", "")
    assert started == [
        twistd_command(
            [
                *("--spawn-method=direct", "--listen=tcp:1", "--listen=tcp:2"),
                *("--", "./", "-x"),
            ]
        )
    ]
    assert started[0][:1] == [sys.executable]


def test_serve_knows_every_flag(run):
    """Those of the settings and -c."""
    text = run("serve", "--help").stdout
    assert [flag.name for flag in flags() if f"--{flag.name}" not in text] == []
    assert "-c, --config FILE" in text


def test_what_serve_starts_knows_the_flags_too(tmp_path):
    """twistd reads them and lists the plugins; exit status 0, logs apart."""
    command = twistd_command(["--list-plugins", "--listen=tcp:0"])
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("KIND ")
    assert os.listdir(tmp_path) == []


# --- status --------------------------------------------------------------------

STATUS = {
    "version": "1.2",
    "instance": "i",
    "pid": 4711,
    "uptime_s": 7384.0,
    "pool": {"max_pool_size": 6, "capacity_used": 2, "busy": 1, "queue": 3},
    "spawn_server": {"pid": 4712, "spawners": []},
    "logs": {
        "access_log_dropped": 3,
        "server_log_dropped": 0,
        "output_dropped": {"shop": 20417},
    },
    "apps": [
        {
            "name": "shop",
            "root": "/srv/[red]shop",
            "state": "ready",
            "framework": "django",
            "spawn_method": "conservative",
            "spawn_method_reason": "not smart, as a fork would not be safe: a thread",
            "generation": 1,
            "queue": 3,
            "last_spawn_error": "app shop:\n  it \x1b[31mfailed",
            "workers": [
                {
                    "pid": 4800,
                    "state": "busy",
                    "enabled": False,
                    "generation": 1,
                    "sessions": 1,
                    "requests": 12,
                    "spawn_method": "conservative",
                    "spawn_seconds": 0.25,
                    "uptime_s": 61.0,
                    "idle_s": 0.0,
                    "memory": {"pss": 9, "uss": 5 * 2**20, "rss": 9},
                    "current": [{"method": "GET", "path": "/[b]\x07", "seconds": 1.5}],
                },
                {
                    "pid": 0,
                    "state": "starting",
                    "enabled": True,
                    "generation": 1,
                    "sessions": 0,
                    "requests": 0,
                    "spawn_method": "",
                    "spawn_seconds": None,
                    "uptime_s": 1.5,
                    "idle_s": 0.0,
                    "memory": None,
                    "current": [],
                },
            ],
        },
        {
            "name": "blog",
            "root": "/srv/blog",
            "state": "stopped",
            "framework": "wsgi",
            "spawn_method": "auto",
            "spawn_method_reason": "",
            "generation": 0,
            "queue": 0,
            "last_spawn_error": None,
            "workers": [],
        },
    ],
    "leaving": [
        {
            "app": "wiki",
            "pid": 4700,
            "state": "draining",
            "enabled": True,
            "generation": 0,
            "sessions": 1,
            "requests": 7,
            "spawn_method": "smart",
            "spawn_seconds": 0.005,
            "uptime_s": 300.0,
            "idle_s": 0.0,
            "memory": None,
            "current": [{"method": "GET", "path": "/slow", "seconds": 9.0}],
        }
    ],
}


@contextmanager
def answering(folder: str, answer: bytes) -> Iterator[list[bytes]]:
    """An admin socket in *folder* that gives one answer; what it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(folder, "admin.sock"))
        listener.listen()
        listener.settimeout(30)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(30)


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_status_for_people(run, tmp_path):
    """Server, apps and workers; nothing of it is markup or steers the terminal."""
    with answering(str(tmp_path), http(json.dumps(STATUS).encode())) as asked:
        result = run("status", "--runtime-dir", str(tmp_path))
    assert asked[0].startswith(b"GET /v1/status HTTP/1.1\r\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        (
            "passtwist 1.2, pid 4711, up 2 h 3 min; workers 2 of 6, busy 1, waiting "
            "requests 3"
        ),
        "lines that are in no log: access log 3, output of shop 20417",
        "",
        "shop: ready, django, conservative, waiting 3, /srv/[red]shop",
        "not smart, as a fork would not be safe: a thread",
        "last failed spawn: app shop: it ?[31mfailed",
        "PID STATE SESSIONS REQUESTS SPAWN UP MEMORY CURRENT",
        "4800 busy, disabled 1 12 conservative 250 ms 61.0 s 5.0 MiB GET /[b]? 1.5 s",
        "starting 0 0 1.5 s",
        "",
        "blog: stopped, wsgi, auto, waiting 0, /srv/blog",
        "",
        "workers of removed apps: wiki",
        "PID STATE SESSIONS REQUESTS SPAWN UP MEMORY CURRENT",
        "4700 draining 1 7 smart 5 ms 5 min GET /slow 9.0 s",
    ]


def test_status_for_programs(run, tmp_path):
    """The server's JSON, nothing else."""
    with answering(str(tmp_path), http(json.dumps(STATUS).encode())):
        result = run("status", "--json", "--runtime-dir", str(tmp_path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == STATUS


def test_status_finds_the_server_of_a_file(run, tmp_path):
    """By the runtime directory that the file names."""
    (tmp_path / "run").mkdir()
    (tmp_path / "passtwist.toml").write_text(
        '[server]\nruntime_dir = "run"\n[[app]]\nroot = "."\n'
    )
    with answering(str(tmp_path / "run"), http(json.dumps(STATUS).encode())):
        result = run("status", "--json", "-c", "passtwist.toml")
    assert result.exit_code == 0


def test_status_finds_the_server_by_the_variable(run, tmp_path, monkeypatch):
    """As the server itself does."""
    monkeypatch.setenv("PASSTWIST_RUNTIME_DIR", str(tmp_path))
    with answering(str(tmp_path), http(json.dumps(STATUS).encode())):
        assert run("status", "--json").exit_code == 0


def test_status_without_a_server(run, tmp_path):
    """Neither a folder nor a socket, or a socket that nobody listens on."""
    message = (
        f"Error: no server is running with the runtime directory {tmp_path}; if it "
        "has another, say --runtime-dir or -c\n"
    )
    assert outcome(run("status", "--runtime-dir", ".")) == (1, "", message)
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "admin.sock"))
    assert outcome(run("status", "--runtime-dir", ".")) == (1, "", message)


def test_status_with_a_wrong_file(run, tmp_path):
    """The file's problems are told, not the server's absence."""
    code, out, err = outcome(run("status", "-c", "none.toml"))
    assert (code, out) == (1, "")
    assert err.startswith("Error: 1 problem in none.toml:\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (http(b"", b"503 Service Unavailable"), "answered 503"),
        (http(b"<html>"), "answered what is no JSON object"),
        (http(b"[]"), "answered what is no JSON object"),
        (b"", "no answer from the server in"),
        (b"SSH-2.0\r\n", "no answer from the server in"),
    ],
)
def test_status_with_a_strange_answer(run, tmp_path, answer, message):
    """An error, never a traceback."""
    with answering(str(tmp_path), answer):
        code, out, err = outcome(run("status", "--runtime-dir", str(tmp_path)))
    assert (code, out) == (1, "")
    assert message in err


def test_status_with_a_path_too_long_for_a_socket(run):
    """The system's refusal in one line."""
    code, _, err = outcome(run("status", "--runtime-dir", "/" + "x" * 200))
    assert (code, err.count("\n")) == (1, 1)
    assert "AF_UNIX path too long" in err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 ms"),
        (0.0123, "12 ms"),
        (1.0, "1.0 s"),
        (119.9, "119.9 s"),
        (120.0, "2 min"),
        (3600.0, "1 h 0 min"),
        (90061.0, "1 d 1 h"),
    ],
)
def test_durations_for_people(value, text):
    """In the unit that suits them."""
    assert seconds(value) == text
