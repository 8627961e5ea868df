"""A real spawn server under the test's reactor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from passtwist.builtin import wsgi
from passtwist.model import AppSpec
from passtwist.testing.spawn_servers import running_spawn_server

WSGI_CHILD = str(Path(wsgi.__file__).with_name("child.py"))


@pytest.fixture
def spawn_server():
    """A spawn server, started; stopped at the end."""
    with running_spawn_server({"wsgi.py": WSGI_CHILD}) as server:
        yield server


@pytest.fixture
def make_spec(tmp_path):
    """Write an app of these lines; answer its spec."""

    def make(code: str = "", name: str = "app", **fields) -> AppSpec:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        (root / "site_code.py").write_text(code or HELLO)
        fields.setdefault("python", sys.executable)
        return AppSpec(
            name=name,
            root=str(root),
            child="wsgi.py",
            entry="site_code:application",
            **fields,
        )

    return make


HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
