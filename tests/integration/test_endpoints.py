"""One server on every kind of endpoint at once, asked by real clients."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import stat
import struct
import sys
import tempfile
from pathlib import Path

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.admin import order
from tests.integration.sites import Site, configure

pytest.importorskip("OpenSSL", reason="needs passtwist[tls]")

from tests.service.certificates import Authority  # needs the same

LOCAL = "interface=127.0.0.1"
NAME = "shop.example"
# What systemd does before it starts a service with sockets.
SYSTEMD = """\
#!{python}
import fcntl, os, socket, sys

unix, inet, tls = socket.socket(socket.AF_UNIX), socket.socket(), socket.socket()
unix.bind({path!r})
os.chmod({path!r}, 0o640)
inet.bind(("127.0.0.1", 0))
tls.bind(("127.0.0.1", 0))
numbers = []
for one in (unix, inet, tls):
    one.listen()
    numbers.append(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 10))
for target, number in enumerate(numbers, 3):
    os.dup2(number, target)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS="3", LISTEN_FDNAMES="files:web:tls"
)
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


class World:
    """The server, its certificates, and how to reach it."""

    def __init__(self, folder):
        self.folder = folder
        self.short = Path(tempfile.mkdtemp(prefix="ptw-"))
        self.authority = Authority()
        self.live = folder / "live"
        self.issued = self.renew()
        single = self.authority.issue(NAME)
        (folder / "single.pem").write_bytes(single.key() + single.fullchain)
        self.site = Site(folder)
        self.log = folder / "access.log"
        self.unix, self.systemd = self.short / "unix", self.short / "systemd"

    def renew(self):
        issued = self.authority.issue(NAME, f"*.{NAME}")
        issued.write_as_certbot(self.live, NAME)
        return issued

    def server(self):
        python = self.folder / "systemd"
        python.write_text(SYSTEMD.format(python=sys.executable, path=str(self.systemd)))
        python.chmod(0o755)
        listen = [
            "tcp6:0:interface=\\:\\:1",
            f"ssl:0:{LOCAL}:privateKey={self.folder}/single.pem",
            f"tls:{self.live}:port=0:{LOCAL}",
            f"haproxy:tcp:0:{LOCAL}",
            f"haproxy:tls:{self.live}:port=0:{LOCAL}",
            f"unix:{self.unix}:mode=600",
            "systemd:domain=UNIX:name=files",
            "systemd:domain=INET:name=web",
            f"tls:{self.live}:name=tls:domain=INET",
        ]
        file = configure(
            self.folder,
            self.site,
            access_log=str(self.log),
            access_log_format="json",
            trusted_proxies=["unix"],
        )
        return RunningServer(
            f"--config={file}",
            *(f"--listen={each}" for each in listen),
            python=str(python),
        )

    def learn_ports(self, server):
        """Where each is, as the log says."""
        (line,) = re.findall(r"serves probe on (.*)", server.log())
        found = line.split(", ")
        ports = [int(each.rstrip("/").rpartition(":")[2]) for each in found[:6]]
        _, self.tcp6, self.ssl, self.tls, self.proxied, self.proxied_tls = ports
        self.passed, self.passed_tls = (
            int(each.rstrip("/").rpartition(":")[2]) for each in found[8:]
        )
        return [re.sub(r":\d+/", "", each) for each in found]

    def over_tls(self, plain, name=NAME):
        context = self.authority.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context.wrap_socket(plain, server_hostname=name)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("endpoints"))
    with world.server() as server:
        world.addresses = world.learn_ports(server)
        world.running = server
        yield world
    assert stat.S_IMODE(world.systemd.stat().st_mode) == 0o640, "it is systemd's"
    world.systemd.unlink()
    assert os.listdir(world.short) == []
    world.short.rmdir()


def connect(address):
    family = socket.AF_UNIX if isinstance(address, (str, Path)) else socket.AF_INET
    if family == socket.AF_INET and ":" in address[0]:
        family = socket.AF_INET6
    client = socket.socket(family)
    client.settimeout(30)
    client.connect(str(address) if family == socket.AF_UNIX else address)
    return client


def ask(client, *headers, path="/environ"):
    """The environ of a request on a connection, which is closed."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {NAME}", "Connection: close", *headers]
    with client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        data = b""
        while piece := client.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), data
    return json.loads(body)


def about(environ):
    keys = ("wsgi.url_scheme", "HTTPS", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")
    return tuple(environ.get(key) for key in keys)


def logged(world, path):
    """Who asked for the path, by the access log."""

    def found():
        lines = map(json.loads, world.log.read_text().splitlines())
        return [line["remote"] for line in lines if line["target"] == path]

    return wait_until(found, f"{path} in the access log")


def test_the_log_names_all_of_them(world):
    """As people write them down."""
    assert world.addresses == [
        "http://127.0.0.1",
        "http://[::1]",
        "https://127.0.0.1",
        "https://127.0.0.1",
        "http://127.0.0.1",
        "https://127.0.0.1",
        f"unix:{world.unix}",
        f"unix:{world.systemd}",
        "http://127.0.0.1",
        "https://127.0.0.1",
    ]


def test_tcp6(world):
    environ = ask(connect(("::1", world.tcp6)))
    assert about(environ) == ("http", None, "::1", "::1", str(world.tcp6))


@pytest.mark.parametrize("kind", ["ssl", "tls"])
def test_tls(world, kind):
    """The app knows, no other protocol is agreed on, and a forged header is none."""
    port = getattr(world, kind)
    client = world.over_tls(connect(("127.0.0.1", port)))
    assert client.selected_alpn_protocol() == "http/1.1"
    environ = ask(client, "X-Forwarded-Proto: http")
    assert about(environ) == ("https", "on", "127.0.0.1", "127.0.0.1", str(port))


def test_a_unix_socket_is_a_proxy_s_and_trusted_where_the_settings_say_so(world):
    """Its file says who may connect."""
    assert stat.S_IMODE(world.unix.stat().st_mode) == 0o600
    told = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    for path in (world.unix, world.systemd):
        environ = ask(connect(path), *told, path=f"/environ?{path.name}")
        assert about(environ)[:3] == ("https", "on", "203.0.113.9")
        assert logged(world, f"/environ?{path.name}") == ["203.0.113.9"]
        assert about(ask(connect(path)))[:3] == ("http", None, "")


def test_a_socket_of_systemd_s(world):
    environ = ask(connect(("127.0.0.1", world.passed)))
    assert about(environ)[3:] == ("127.0.0.1", str(world.passed))
    environ = ask(world.over_tls(connect(("127.0.0.1", world.passed_tls))))
    assert about(environ)[:2] == ("https", "on")


BINARY = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    + struct.pack("!H", 20)
    + bytes([203, 0, 113, 10, 192, 0, 2, 1])
    + struct.pack("!HH", 1234, 8443)
    # The client's connection to the balancer was by TLS.
    + b"\x20\0\x05\x01\0\0\0\0"
)
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 8080\r\n"


def test_a_load_balancer_says_who_the_client_is(world):
    """In both versions of its protocol, in pieces, and in front of TLS."""
    client = connect(("127.0.0.1", world.proxied))
    for at in range(len(LINE)):
        client.sendall(LINE[at : at + 1])
    environ = ask(client, path="/environ?line")
    assert about(environ) == ("http", None, "203.0.113.9", "192.0.2.1", "8080")
    assert logged(world, "/environ?line") == ["203.0.113.9"]

    client = connect(("127.0.0.1", world.proxied))
    client.sendall(BINARY)
    environ = ask(client, "X-Forwarded-For: 6.6.6.6")
    assert about(environ) == ("https", "on", "203.0.113.10", "192.0.2.1", "8443")
    assert "HTTP_X_FORWARDED_FOR" not in environ

    client = connect(("127.0.0.1", world.proxied_tls))
    client.sendall(LINE)
    environ = ask(world.over_tls(client))
    assert about(environ) == ("https", "on", "203.0.113.9", "192.0.2.1", "8080")


def test_behind_a_load_balancer_one_half_can_be_closed(world):
    """A client that has said everything still gets its answer."""
    with connect(("127.0.0.1", world.proxied)) as client:
        client.sendall(LINE + b"GET /environ HTTP/1.1\r\nHost: a\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        data = b""
        while piece := client.recv(65536):
            data += piece
    # Maybe behind a 100, which asks whether it is still there.
    environ = json.loads(data.rpartition(b"\r\n\r\n")[2])
    assert environ["REMOTE_ADDR"] == "203.0.113.9"


def test_who_is_no_load_balancer_is_not_served_there(world):
    """The connection is closed, and the log says what may be wrong, once."""
    for _ in range(3):
        with connect(("127.0.0.1", world.proxied)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                assert client.recv(1000) == b""
            except ConnectionResetError:
                pass
    log = world.running.wait_for_log("does the load balancer send one (send-proxy")
    assert log.count("does the load balancer send one") == 1


def test_nobody_else_may_say_who_the_client_is(world):
    """Where no load balancer is, its header is no request."""
    with world.running.connect() as client:
        client.sendall(LINE + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_reload_takes_up_a_renewed_certificate(world):
    """Without a restart; connections that are open stay as they are."""

    def shown():
        with world.over_tls(connect(("127.0.0.1", world.tls)), f"a.{NAME}") as client:
            return client.getpeercert()["serialNumber"].lstrip("0")

    assert shown() == world.issued.serial
    kept = world.over_tls(connect(("127.0.0.1", world.tls)))
    world.issued = world.renew()
    assert shown() != world.issued.serial
    assert order(world.running, "reload", {})[0] == 200
    assert shown() == world.issued.serial
    assert about(ask(kept))[0] == "https"


def test_a_client_that_speaks_no_tls_is_refused(world):
    with connect(("127.0.0.1", world.tls)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not client.recv(65536).startswith(b"HTTP/")
    with pytest.raises(ssl.SSLError):
        world.over_tls(connect(("127.0.0.1", world.running.port)))
