"""Sites of `examples/`, asked as a server asks them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ASK = Path(__file__).with_name("ask_wsgi.py")


@dataclass
class Answer:
    """What the application answered."""

    status: str
    headers: list[tuple[str, str]]
    pieces: list[str]

    @property
    def body(self) -> bytes:
        """All pieces of the body."""
        return "".join(self.pieces).encode("latin-1")

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def header(self, name: str) -> str | None:
        """A header's first value."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Site:
    """One application in a process, and a browser's cookies for it."""

    def __init__(self, folder: str, entry: str, script_name: str, **env: str) -> None:
        self.cookies: SimpleCookie = SimpleCookie()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-B",
                str(ASK),
                str(EXAMPLES / folder),
                entry,
                script_name,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env},
            text=True,
        )

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send one request, with the cookies of earlier answers."""
        if self.cookies:
            headers["cookie"] = "; ".join(
                f"{name}={morsel.value}" for name, morsel in self.cookies.items()
            )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = {
            "method": method,
            "path": path,
            "headers": named,
            "body": body.decode("latin-1"),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the application's process ended"
        answer = Answer(**json.loads(line))
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self.cookies.load(value)
        return answer

    def get(self, path: str) -> Answer:
        """GET *path*."""
        return self.ask("GET", path)

    def post(self, path: str, **fields: str | tuple[str, bytes]) -> Answer:
        """POST a form; a pair of file name and content is an upload."""
        boundary = "0123456789abcdef"
        parts = []
        for name, value in fields.items():
            told = f'form-data; name="{name}"'
            if isinstance(value, tuple):
                told += f'; filename="{value[0]}"\r\nContent-Type: text/plain'
                content = value[1]
            else:
                content = value.encode()
            head = f"--{boundary}\r\nContent-Disposition: {told}\r\n\r\n"
            parts.append(head.encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return self.ask("POST", path, body, content_type=kind)

    def close(self) -> None:
        """End the process; it must have ended well."""
        self._process.stdin.close()
        assert self._process.wait(timeout=10) == 0
        self._process.stdout.close()


@pytest.fixture(scope="module")
def examples() -> Path:
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture(scope="module")
def open_site():
    """Start sites; they are ended with the module."""
    sites = []

    def start(folder: str, entry: str, script_name: str, **env: str) -> Site:
        sites.append(Site(folder, entry, script_name, **env))
        return sites[-1]

    yield start
    for site in sites:
        site.close()
