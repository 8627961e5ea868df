"""A real spawn server under the test's reactor."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from passtwist.builtin import wsgi
from passtwist.model import AppSpec
from passtwist.spawning.runtime_dir import RuntimeDir
from passtwist.spawning.toolkit import SpawnServer

APPS = Path(__file__).parent.parent / "apps"
WSGI_CHILD = str(Path(wsgi.__file__).with_name("child.py"))


@pytest.fixture
def runtime():
    """A runtime directory, acquired; with a short name, as sockets need."""
    folder = tempfile.mkdtemp(prefix="ptw-")
    runtime = RuntimeDir(folder + "/run")
    runtime.acquire()
    yield runtime
    runtime.release()
    shutil.rmtree(folder)


@pytest_twisted.async_yield_fixture
async def spawn_server(runtime):
    """A spawn server, started; stopped at the end."""
    server = SpawnServer(reactor, runtime, {"wsgi.py": WSGI_CHILD})
    server.start()
    yield server
    await server.stop()


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
