"""The fixture apps of ``tests/apps/hazards``: each hazard found, in the right place."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from passtwist.model import APP, UNSAFE, UNSAFE_FORK, WARNING, AppSpec
from passtwist.wire.journey import FailedRecord, FindingRecord

HAZARDS = Path(__file__).parents[1] / "apps" / "hazards"

FOUND = {
    "thread_lock": ("thread:holder", UNSAFE),
    "tcp_connection": ("socket:127.0.0.1:{port}", UNSAFE),
    "sqlite_handle": ("sqlite:{root}/shop.db", UNSAFE),
    "asyncio_loop": ("loop:epoll", UNSAFE),
    "thread_pool": ("thread:pool_0", UNSAFE),
    "fork_at_import": ("process:forked", UNSAFE),
}
# These need what only our own interpreter's environment has.
FOUND_BY_OURS = {
    "twisted_reactor": ("loop:epoll", UNSAFE),
    "numpy_rng": ("random:numpy", WARNING),
}


@pytest.fixture
def load(driver, tmp_path):
    """Load a hazard's app in an app spawner; answers the ended spawn."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]

        def load(name, python=sys.executable, **fields):
            root = tmp_path / name
            shutil.copytree(HAZARDS / name, root, dirs_exist_ok=True)
            app = AppSpec(
                name,
                str(root),
                entry="site_app.py:app",
                python=python,
                env=(("DATABASE_PORT", str(port)),),
                **fields,
            )
            spawn = driver.spawn(app, ("app",)).wait()
            spawn.root, spawn.port = root, port
            return spawn

        yield load


def place(root):
    """Where the app does it, as it says itself."""
    (found,) = [
        f"{path}:{number}"
        for path in root.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith("# here")
    ]
    return found


def check(spawn, token, level):
    """The one finding, and what came of it."""
    (found,) = spawn.only(FindingRecord)
    token = token.format(port=spawn.port, root=spawn.root)
    assert (found.who, found.token, found.level) == (APP, token, level)
    assert re.sub(", through .*", "", found.place) == place(spawn.root)
    assert found.hint
    failures = [one.category for one in spawn.only(FailedRecord)]
    assert failures == ([UNSAFE_FORK] if level == UNSAFE else [])


@pytest.mark.parametrize("name", FOUND)
def test_a_hazard_is_found_where_it_is_made(load, name, python):
    """Under each interpreter: its token, its file and line, and no other finding."""
    check(load(name, python), *FOUND[name])


@pytest.mark.parametrize("name", FOUND_BY_OURS)
def test_a_hazard_of_a_library_is_found_where_it_is_imported(load, name):
    """That of numpy is mended by the worker, and only told of."""
    library = name.partition("_")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"needs {library}")
    check(load(name), *FOUND_BY_OURS[name])


def test_nothing_is_found_in_an_app_that_closes_what_it_opens(load, python):
    """No finding, not even a warning."""
    spawn = load("clean", python)
    spawn.ready()
    assert spawn.only(FindingRecord) == []


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found_can_be_allowed_by_its_token(load, name):
    """Then it is neither told of nor in the way."""
    token = FOUND[name][0].format(port="*", root="*")
    spawn = load(name, fork_allow=(token,))
    assert (spawn.only(FindingRecord), spawn.only(FailedRecord)) == ([], [])
