"""Servers in front of ours, configured by the blocks of a page.

Runs in: tests.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import tomllib
from pathlib import Path

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import PATIENCE, wait_until
from tests.docs.pages import ROOT, Page
from tests.integration.sites import APPS, Site
from tests.service.certificates import Authority

NAME = "shop.example.org"
CERTBOT = f"/etc/letsencrypt/live/{NAME}"
# Beside the page's, for the one who speaks WebSocket.
TALKER_APP = """
[[app]]
name = "talker"
root = "{root}"
"""
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"


class Place:
    """A page, what it says, and where that is on this machine.

    :ivar folder: short, and open for whomever the proxy's processes run as.
    :ivar port: of the proxy, for TLS.
    :ivar other_port: the same, for the other way that the page shows.
    """

    def __init__(self, page):
        self.page = Page(ROOT / "docs" / "how-to" / page)
        self.folder = Path(tempfile.mkdtemp(prefix="ptw-"))
        self.folder.chmod(0o755)
        self.site = Site(self.folder, "shop", APPS / "behind")
        self.talker = shutil.copytree(APPS / "talker" / "site", self.folder / "talker")
        self.socket = self.folder / "passtwist.sock"
        self.port, self.other_port, self.plain_port = free_ports(3)
        self.inner_port, self.other_inner_port = free_ports(2)
        self.authority = Authority()
        self.issued = self.authority.issue(NAME)
        self.issued.write_as_certbot(self.folder / "live", NAME)
        (self.folder / "fullchain.pem").write_bytes(self.issued.fullchain)
        (self.folder / "privkey.pem").write_bytes(self.issued.key())
        both = self.issued.fullchain + self.issued.key()
        (self.folder / f"{NAME}.pem").write_bytes(both)

    def block(self, language, number=0, port=None):
        """A block of that language, with this machine's places.

        :param port: of the proxy; None for the usual one.
        """
        found = [one.text for one in self.page.blocks if one.language == language]
        text, port = found[number], port or self.port
        for said, here in {
            "/run/passtwist.sock": str(self.socket),
            CERTBOT: str(self.folder),
            "/etc/letsencrypt/live": f"{self.folder}/live",
            "/etc/haproxy/": f"{self.folder}/",
            "/srv/shop": str(self.site.root),
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
            "bind :443": f"bind 127.0.0.1:{port}",
            "tcp:8080:": f"tcp:{self.inner_port}:",
            "127.0.0.1:8080": f"127.0.0.1:{self.inner_port}",
            "10.0.0.5": "127.0.0.1",
            "port=8443:": f"port={self.other_inner_port}:",
            "127.0.0.1:8443": f"127.0.0.1:{self.other_inner_port}",
        }.items():
            text = text.replace(said, here)
        if os.geteuid() != 0:
            # Nobody else's group may be given away, nor has to be.
            text = text.replace(":group=www-data", "").replace(":group=haproxy", "")
        return text

    def server(self, *flags):
        """Ours, as the page has it; it listens for the test, too."""
        text = self.block("toml")
        file = self.folder / "passtwist.toml"
        file.write_text(text + TALKER_APP.format(root=self.talker))
        listen = tomllib.loads(text)["server"]["listen"]
        return RunningServer(
            f"--config={file}",
            f"--plugin-file={APPS / 'talker' / 'talker_plugin.py'}",
            *(f"--listen={each}" for each in listen),
            f"--access-log={self.folder}/access.log",
            "--access-log-format=json",
            *flags,
        )

    def logged(self, target):
        """Who asked for *target*, by our access log."""

        def found():
            lines = (self.folder / "access.log").read_text().splitlines()
            entries = map(json.loads, lines)
            return [one["remote"] for one in entries if one["target"] == target]

        return wait_until(found, f"{target} in the access log")

    def client(self, port=None):
        """A client of the proxy, from an address of its own."""
        client = http.client.HTTPConnection(NAME)
        client.sock = self.connect(port)
        return client

    def ask(self, path="/", headers=None, method="GET", body=None, port=None):
        """Status, headers and body of one answer."""
        client = self.client(port)
        try:
            client.request(method, path, body, headers or {})
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            client.close()

    def environ(self, path="/", headers=None, port=None):
        """What the app was told."""
        status, _, body = self.ask(path, headers, port=port)
        assert status == 200, body
        return json.loads(body)

    def connect(self, port=None):
        """A connection by TLS, to the name, on the loopback interface."""
        plain = socket.create_connection(
            ("127.0.0.1", port or self.port), PATIENCE, ("127.0.0.2", 0)
        )
        context = self.authority.client_context()
        return context.wrap_socket(plain, server_hostname=NAME)

    def remove(self):
        shutil.rmtree(self.folder)


class Proxy:
    """A program in the foreground, ended at the end.

    :param port: it is ready when somebody listens there.
    """

    def __init__(self, folder, port, *command):
        self._log = folder / "proxy.log"
        self._command = command
        self._port = port
        self._process = None

    def __enter__(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": PATH},
            )
        try:
            wait_until(self._listens, f"{self._command[0]} to listen")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._end()

    def _listens(self):
        assert self._process.poll() is None, self._log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self._port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def _end(self):
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(count):
    """Ports that nobody had a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
