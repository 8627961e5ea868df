"""nginx in front of a server whose documentation wants such a proxy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers import pair
from benchmarks.servers.base import Server, Setup, program

if TYPE_CHECKING:
    from benchmarks.servers.running import Running

# Buffering of requests and answers is nginx's default.
CONFIGURATION = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    client_max_body_size 16m;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream server {{ server unix:{socket} fail_timeout=0; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://server;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_redirect off;
        }}
    }}
}}
"""


class BehindNginx(Server):
    """Debian's nginx with a configuration of its own, and the server behind it.

    :param server: one that can listen on a Unix socket.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.threads = server.threads
        self.one_process = server.one_process
        self.name = f"{server.name} behind nginx"
        self.family = f"{server.family} behind nginx"
        self.remark = (
            "nginx buffers requests and answers as it does by default, and reaches "
            "the server on a Unix socket. A small process that only waits holds the "
            f"two together. {server.remark}"
        ).strip()

    def missing(self) -> str:
        needed = [
            self.server.missing(),
            "" if program("nginx") else "apt-get install nginx-light",
        ]
        return "; ".join(filter(None, needed))

    def version(self) -> str:
        run = subprocess.run(
            [program("nginx"), "-v"], capture_output=True, text=True, check=True
        )
        found = re.search(r"nginx/(\S+)", run.stderr)
        return f"{self.server.version()}, nginx {found[1] if found else 'unknown'}"

    def files(self, setup: Setup) -> dict[str, str]:
        behind = self.behind(setup)
        # The folder is root's then; its nginx would work as another user.
        user = "" if os.geteuid() else "user root;\n"
        text = CONFIGURATION.format(
            user=user, folder=setup.folder, socket=behind.socket, port=setup.port
        )
        return {
            **self.server.files(behind),
            "nginx.conf": text,
        }

    def command(self, setup: Setup) -> list[str]:
        return [
            sys.executable,
            str(Path(pair.__file__).resolve()),
            program("nginx"),
            "-e",
            "stderr",
            "-p",
            str(setup.folder),
            "-c",
            str(setup.folder / "nginx.conf"),
            "--",
            *self.server.command(self.behind(setup)),
        ]

    def environment(self, setup: Setup) -> dict[str, str]:
        return self.server.environment(self.behind(setup))

    @property
    def stop_signal(self) -> int:
        return self.server.stop_signal

    def restart(self, running: Running) -> None:
        """By the server's own signal, which the pair hands on."""
        self.server.restart(running)

    @staticmethod
    def behind(setup: Setup) -> Setup:
        """What the server itself is started with."""
        return replace(setup, socket=setup.folder / "server.sock")
