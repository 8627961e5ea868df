"""Command lines of the servers under test: fair, quiet, and fit for any machine."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.servers import Server, Setup, every_server, quick_servers
from benchmarks.servers.base import as_shown
from benchmarks.servers.passenger import Passenger
from benchmarks.servers.passenger_apache import PassengerApache
from benchmarks.sites import Site

SITE = Site("wsgi", "wsgi", "passenger_wsgi:application", Path("/nowhere/site"))
SETUP = Setup(SITE, Path("/nowhere/scratch"), 54321, worker_count=3)

INSTALLED = [one for one in every_server() if not one.missing()]
of_each = pytest.mark.parametrize("server", INSTALLED, ids=lambda one: one.name)

GUNICORN = "gunicorn --bind={} --workers=3 --worker-class={} --threads={}"
UWSGI = (
    "uwsgi --http=127.0.0.1:PORT --http-keepalive '--add-header=Connection: Keep-Alive'"
    " --master --master-fifo=SCRATCH/fifo --processes=3{} --module=passenger_wsgi:"
    "application --need-app --die-on-term --vacuum --disable-logging"
)
GRANIAN = (
    "granian --interface=wsgi --host=127.0.0.1 --port=PORT --workers=3"
    " --blocking-threads={} --respawn-failed-workers --no-access-log"
    " passenger_wsgi:application"
)
TCP = "127.0.0.1:PORT"
END = " --no-control-socket passenger_wsgi:application"
WHOLE = {
    "gunicorn sync": GUNICORN.format(TCP, "sync", 1) + END,
    "gunicorn gthread": GUNICORN.format(TCP, "gthread", 1) + END,
    "gunicorn gthread, 4 threads": GUNICORN.format(TCP, "gthread", 4) + END,
    "gunicorn sync --preload": GUNICORN.format(TCP, "sync", 1)
    + " --preload --pid=SCRATCH/pid"
    + END,
    "gunicorn sync behind nginx": (
        "python benchmarks/servers/pair.py nginx -e stderr -p SCRATCH"
        " -c SCRATCH/nginx.conf -- "
        + GUNICORN.format("unix:SCRATCH/server.sock", "sync", 1)
        + END
    ),
    "uwsgi": UWSGI.format(""),
    "uwsgi, 4 threads": UWSGI.format(" --threads=4 --thunder-lock"),
    "uwsgi --lazy-apps": UWSGI.format(" --lazy-apps"),
    "granian": GRANIAN.format(1),
    "granian, 4 threads": GRANIAN.format(4),
    "waitress": f"waitress-serve --listen={TCP} --threads=6 passenger_wsgi:application",
    "twist web": (
        "twist --log-level=warn web --listen=tcp:PORT:interface=127.0.0.1"
        " --logfile=SCRATCH/access.log --wsgi=passenger_wsgi.application"
    ),
}


def shown(server: Server, setup: Setup = SETUP) -> str:
    return as_shown(server, setup)


def command_line(server: Server) -> str:
    return shown(server).partition("\n")[0]


@of_each
def test_a_command_line_begins_with_a_program_and_has_whole_words(server):
    words = server.command(SETUP)
    assert os.access(words[0], os.X_OK)
    assert [word for word in words if not word.strip() or "None" in word] == []


def test_the_command_lines_of_these_are_written_down():
    """What is given to a peer, and what is not, is a decision; it shows in a diff."""
    found = {one.name: command_line(one) for one in INSTALLED if one.name in WHOLE}
    # Whichever python it is, python3 or python3.11.
    found = {name: re.sub(r"^python[\d.]+", "python", it) for name, it in found.items()}
    assert found == {name: WHOLE[name] for name in found}


def test_each_of_them_has_a_name_of_its_own():
    names = [one.name for one in every_server()]
    assert sorted(set(names)) == sorted(names)
    assert set(WHOLE) <= set(names)


def test_a_quick_run_takes_one_of_each_kind():
    assert [one.name for one in quick_servers()] == [
        "passtwist smart",
        "passenger builtin",
        "gunicorn sync",
        "gunicorn gthread",
        "uwsgi",
        "granian",
    ]


@of_each
def test_all_are_given_as_many_workers_as_asked_for(server):
    """twist web alone has no number to give; its remark must say so."""
    one_more = replace(SETUP, worker_count=SETUP.worker_count + 1)
    if shown(server) == shown(server, one_more):
        assert server.one_process
        assert "no option" in server.remark
    elif not server.one_process:
        counts = [re.findall(r"\d+", shown(server, it)) for it in (SETUP, one_more)]
        differing = {pair for pair in zip(*counts, strict=True) if len(set(pair)) > 1}
        assert differing == {("3", "4")}


@of_each
def test_threads_are_given_where_there_are_several(server):
    text = shown(server)
    count = server.threads * (SETUP.worker_count if server.one_process else 1)
    if server.threads > 1:
        assert re.search(rf"threads[= ]{count}\b", text)
        assert server.one_process or f"{server.threads} threads" in server.name
    else:
        assert re.search(r"threads[= ](?!1\b)\d", text) is None


@of_each
def test_no_server_writes_an_access_log_that_can_do_without(server):
    """Twisted's can't, and as root it would rename whatever it is given."""
    text = re.sub(
        r"--no-access-log|--access-log=off|\baccess_log off;", "", shown(server)
    )
    if server.name == "twist web":
        text = text.replace("--logfile=SCRATCH/access.log", "")
    assert (
        re.findall(r"(?i)access.?log\w*|customlog|transferlog|req-logger", text) == []
    )
    assert "--logfile=" not in text


@of_each
def test_what_is_shown_names_nothing_of_this_machine(server):
    """Only what is where it is on each Debian may be named, and not as a command."""
    path = re.compile(r"(?:^|[\s=:'\"])(/[\w.-][\w./-]*)")
    assert path.findall(command_line(server)) == []
    found = path.findall(shown(server))
    assert [it for it in found if not it.startswith(("/usr/lib/", "/dev/"))] == []
    assert "54321" not in shown(server)


@of_each
def test_all_listen_on_the_loopback_interface_alone(server):
    text = shown(server)
    assert "127.0.0.1" in text
    assert re.search(r"0\.0\.0\.0|\*:PORT|[=\s]:PORT", text) is None


def test_passenger_calls_nobody_outside():
    """Its telemetry and its check for updates are on by default."""
    of_passenger = [one for one in INSTALLED if one.family == "passenger"]
    for server in [Passenger(), PassengerApache(), *of_passenger]:
        text = re.sub(r"[-_]", "", shown(server)).lower()
        for wanted in ("disableanonymoustelemetry", "disablesecurityupdatecheck"):
            assert re.search(rf"{wanted}(?! off)( on)?", text), server.name


@of_each
def test_a_server_says_its_version_and_no_path_in_its_remark(server):
    assert re.match(r"\d+(\.\w+)+", server.version())
    assert "/" not in server.remark
