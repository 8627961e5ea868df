"""The page about TLS: its settings are run, with certbot's folder in another place."""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
import tomllib
from pathlib import Path

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import PATIENCE
from tests.docs.pages import ROOT, Page
from tests.docs.proxies import free_ports
from tests.integration.sites import Site

pytest.importorskip("OpenSSL", reason="needs passtwist[tls]")

from tests.service.certificates import Authority  # needs the same

NAME = "shop.example.org"
PAGE = Page(ROOT / "docs" / "how-to" / "listen-with-tls.md")


class World:
    """A server as the page has it, whose two ports are free ones."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ptw-"))
        self.site = Site(self.folder, "shop")
        (self.site.root / "public").mkdir()
        self.authority = Authority()
        self.authority.issue(NAME, f"www.{NAME}").write_as_certbot(
            self.folder / "live", NAME
        )
        self.plain, self.tls, self.single = free_ports(3)

    def settings(self, block):
        """What the page's block says, here."""
        text = [one.text for one in PAGE.blocks if one.language == "toml"][block]
        for said, here in {
            '"tcp:80"': f'"tcp:{self.plain}:interface=127.0.0.1"',
            "tls:/etc/letsencrypt/live": (
                f"tls:{self.folder}/live:port={self.tls}:interface=127.0.0.1"
            ),
            "ssl:443:": f"ssl:{self.single}:interface=127.0.0.1:",
            "/etc/ssl/shop.pem": f"{self.folder}/live/{NAME}/cert.pem",
            "/etc/ssl/private/shop.key": f"{self.folder}/live/{NAME}/privkey.pem",
            "/etc/ssl/chain.pem": f"{self.folder}/live/{NAME}/chain.pem",
            "/srv/shop": str(self.site.root),
        }.items():
            text = text.replace(said, here)
        return text

    def server(self):
        text = self.settings(0)
        file = self.folder / "passtwist.toml"
        file.write_text(text)
        listen = [
            *tomllib.loads(text)["server"]["listen"],
            *tomllib.loads(self.settings(1))["server"]["listen"],
        ]
        return RunningServer(
            f"--config={file}", *(f"--listen={each}" for each in listen)
        )

    def ask(self, port, path, name=None):
        """Status line and body; by TLS if *name* is given."""
        client = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if name is not None:
            context = self.authority.client_context()
            client = context.wrap_socket(client, server_hostname=name)
        with client:
            request = f"GET {path} HTTP/1.0\r\nHost: {NAME}\r\n\r\n"
            client.sendall(request.encode())
            data = b""
            while piece := client.recv(65536):
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return head.partition(b"\r\n")[0], body


@pytest.fixture(scope="module")
def world():
    world = World()
    with world.server():
        yield world
    shutil.rmtree(world.folder)


@pytest.mark.parametrize("endpoint", ["tls", "single"])
def test_the_app_is_served_by_tls(world, endpoint):
    """For each name of the certificate, whose chain is complete."""
    for name in (NAME, f"www.{NAME}"):
        status, body = world.ask(getattr(world, endpoint), "/environ", name)
        assert status == b"HTTP/1.1 200 OK"
        environ = json.loads(body)
        assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")


def test_what_certbot_puts_into_public_is_served(world):
    """By plain HTTP: this is how it shows that the name is ours."""
    (said,) = re.findall(r"-w (\S+) ", PAGE.text)
    assert said == "/srv/shop/public"
    folder = world.site.root / "public" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("a token")
    path = "/.well-known/acme-challenge/token"
    assert world.ask(world.plain, path) == (b"HTTP/1.1 200 OK", b"a token")
