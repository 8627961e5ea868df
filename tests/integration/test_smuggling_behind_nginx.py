"""Attacks sent to nginx in front: what nginx forwards is what the app sees."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections import Counter

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import serve
from tests.integration.smuggling import ATTACKS, CONTROLS, Attack
from tests.integration.test_smuggling import END, Recorder

pytestmark = pytest.mark.debian("nginx")

# One connection to the server behind, kept: all that a reader could be deceived
# into would be on it, and harm the next request.
CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
    log_format forwarded "$upstream_status $request_method $uri";
    access_log {folder}/forwarded forwarded;
    # It takes some of what we refuse for the beginning of more.
    client_body_timeout 100ms;
    client_header_timeout 100ms;
    keepalive_timeout 100ms;
    lingering_timeout 100ms;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream passtwist {{
        server 127.0.0.1:{port};
        keepalive 1;
    }}
    server {{
        listen unix:{folder}/http;
        location / {{
            proxy_pass http://passtwist;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host a;
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    return Recorder(tmp_path_factory.mktemp("nginx"))


@pytest.fixture(scope="module")
def server(recorder):
    with serve(recorder.root.parent, recorder) as running:
        yield running


@pytest.fixture(params=["on", "off"])
def nginx(request, server, tmp_path):
    """The folder of an nginx that buffers requests, or passes them on as they come."""
    program = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin")
    config = tmp_path / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=tmp_path, port=server.port, buffering=request.param)
    )
    command = [program, "-p", tmp_path, "-c", config, "-e", tmp_path / "errors"]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: listens(tmp_path), "nginx to listen")
            yield tmp_path
        finally:
            process.terminate()


def listens(nginx) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(nginx / "http")) == 0


def carry_out(nginx, attack: Attack) -> None:
    """Send it, and read until nginx has answered all that it will."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(nginx / "http"))
        try:
            client.sendall(attack.sent + (b"" if attack.breaks_off else END))
            if attack.breaks_off:
                client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except ConnectionError:
            pass  # refused, while more was to be sent


def test_the_app_sees_what_nginx_forwards_and_nothing_else(nginx, recorder):
    """Each request in the app's log is one in nginx's, answered to it."""
    before = len(recorder.seen())
    for one in (*ATTACKS, *CONTROLS):
        carry_out(nginx, one)

    def forwarded() -> Counter[str]:
        lines = (nginx / "forwarded").read_text().splitlines()
        return Counter(line[4:] for line in lines if line.startswith("200 "))

    def seen() -> Counter[str]:
        lines = recorder.seen()[before:]
        return Counter(re.sub(r"^(\S+) \S+ (\S+) \d+$", r"\1 \2", one) for one in lines)

    wait_until(lambda: forwarded() == seen(), "both logs to say the same")
    assert seen()["GET /marker/control-get"] == 1
