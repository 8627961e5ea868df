"""The page about systemd: its units are valid, and the server can do with them."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.docs.pages import ROOT, Page
from tests.integration.accounts import OWNER, site_of, status_of
from tests.integration.admin import ask
from tests.integration.sites import configure

PAGE = Page(ROOT / "docs" / "how-to" / "run-under-systemd.md")


def units():
    """Names and texts."""
    texts = [one.text for one in PAGE.blocks if one.language == "ini"]
    return {re.match(r"# /etc/systemd/system/(\S+)", one)[1]: one for one in texts}


def section(unit, name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(units()[unit])
    return dict(parser[name])


@pytest.mark.debian("systemd-analyze")
def test_systemd_has_nothing_to_complain_of(tmp_path):
    """But for programs that are not where the page has them."""
    for name, text in units().items():
        program = re.compile(r"/opt/passtwist/bin/\w+")
        (tmp_path / name).write_text(program.sub("/usr/bin/env", text))
    told = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_the_socket_is_called_what_the_settings_call_it():
    """And the flags are those of twistd."""
    name = section("passtwist.socket", "Socket")["FileDescriptorName"]
    (settings,) = [one.text for one in PAGE.blocks if one.language == "toml"]
    assert f":name={name}" in settings
    words = shlex.split(section("passtwist.service", "Service")["ExecStart"])
    assert words[1:4] == ["--nodaemon", "--pidfile=", "passtwist"]


START = """\
#!/bin/sh
export NOTIFY_SOCKET={socket} WATCHDOG_USEC=400000
exec setpriv --bounding-set {capabilities} {python} "$@"
"""


class Notified:
    """What a service manager hears."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self.heard = []

    def has_heard(self, *lines):
        """Everything, in this order."""
        try:
            while True:
                self.heard.append(self._socket.recv(4096).decode().split("\n")[0])
        except BlockingIOError:
            told = iter(self.heard)
            return all(line in told for line in lines)

    def close(self):
        self._socket.close()


@pytest.fixture
def ground():
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.root
@pytest.mark.debian("setpriv")
def test_the_capabilities_of_the_service_are_enough(ground):
    """To run an app as its user, to measure it, and to stop it; systemd is told."""
    kept = section("passtwist.service", "Service")["CapabilityBoundingSet"].split()
    names = ["-all", *("+" + one.removeprefix("CAP_").lower() for one in kept)]
    manager = Notified(ground / "notify")
    start = ground / "start"
    start.write_text(
        START.format(
            socket=ground / "notify",
            capabilities=",".join(names),
            python=sys.executable,
        )
    )
    start.chmod(0o755)
    site = site_of(OWNER, ground, "site")
    file = configure(ground, site, default_user="nobody")
    server = RunningServer(f"--config={file}", python=str(start), default_user="")
    with closing(manager), server:
        wait_until(lambda: manager.has_heard("READY=1", "WATCHDOG=1"), "life")
        assert server.get("/").status == 200
        (worker,) = server.workers("site")
        (bound,) = status_of(server.process.pid)["CapBnd"]
        assert int(bound, 16).bit_count() == len(kept)
        assert status_of(worker["pid"])["CapEff"] == ["0" * 16]
        status, page = ask(server, "memory")
        (measured,) = page["apps"][0]["workers"]
        assert (status, measured["pid"]) == (200, worker["pid"])
        assert measured["memory"]["uss"] > 0
        assert server.stop() == 0
        wait_until(lambda: manager.has_heard("READY=1", "STOPPING=1"), "the end")
