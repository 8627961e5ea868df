"""Django's connections to databases and caches around the fork."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import passtwist
from passtwist.model import APP, AppSpec
from passtwist.wire.journey import FindingRecord
from tests.integration.interleaving import running_database
from tests.spawnserver.driver import Driver, descriptors_of, subreaper

CHILD = Path(passtwist.__file__).parent / "builtin" / "django" / "child.py"

# Its cache behaves as Django's own for Redis: close() keeps the connections.
CACHE = """
import os
import socket

from django.core.cache.backends.base import BaseCache

class Pool:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))

    def disconnect(self):
        self.socket.close()

class Client:
    def __init__(self, port):
        self._pools = {0: Pool(port)}

class Cache(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)
        self._cache = Client(int(location))

    def get(self, key, default=None, version=None):
        end = self._cache._pools[0].socket
        end.sendall(b"%d first\\n%d second\\n" % (os.getpid(), os.getpid()))
        return end.recv(100).strip().decode()
"""
SETTINGS = """
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": "%(root)s/shop.db",
}}
CACHES = {"default": {"BACKEND": "shop.cache.Cache", "LOCATION": "%(port)d"}}
USE_TZ = True
"""
# Uses both when it is imported, which is when the app spawner loads the views.
URLS = """
import os
from django.core.cache import cache
from django.db import connection
from django.http import JsonResponse
from django.urls import path

def look():
    with connection.cursor() as cursor:
        cursor.execute("select 6 * 7")
        (answer,) = cursor.fetchone()
    return {"database": answer, "cache": cache.get("x")}

loaded = look()

def view(request):
    return JsonResponse({"pid": os.getpid(), "loaded": loaded, **look()})

urlpatterns = [path("", view)]
"""
WSGI = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


@pytest.fixture
def driver(tmp_path, cache_server):
    """A controller's stand-in whose spawn server knows Django.

    Its processes end before the cache does, which waits for them.
    """
    with subreaper():
        driver = Driver(tmp_path, {"django.py": str(CHILD)})
        yield driver
        driver.close()


@pytest.fixture
def cache_server():
    with running_database() as server:
        yield server


@pytest.fixture
def shop(tmp_path, cache_server):
    """A project whose views use database and cache at import."""
    package = tmp_path / "site" / "shop"
    package.mkdir(parents=True)
    settings = SETTINGS % {"root": package, "port": cache_server.port}
    files = {"__init__": "", "settings": settings, "urls": URLS}
    for name, text in {**files, "cache": CACHE, "wsgi": WSGI}.items():
        (package / f"{name}.py").write_text(text)
    return AppSpec(
        "shop",
        str(tmp_path / "site"),
        framework="django",
        child="django.py",
        entry="shop.wsgi:application",
        python=sys.executable,
    )


def connections_of(pid):
    """Sockets with a peer on TCP, and databases, that a process has open."""
    inodes = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        inodes.add(line.split()[9])
    found = []
    for target in descriptors_of(pid).values():
        socket = re.fullmatch(r"socket:\[(\d+)\]", target)
        if (socket and socket[1] in inodes) or target.endswith(".db"):
            found.append(target)
    return found


def test_connections_of_the_spawner_are_closed_and_each_worker_makes_its_own(
    driver, shop, cache_server
):
    """The audit finds nothing; no two processes use one connection."""
    spawns = [driver.spawn(shop, ("app",)) for _ in range(2)]
    pids = [spawn.ready() for spawn in spawns]
    spawner = spawns[0].pid(APP)
    assert [one for spawn in spawns for one in spawn.only(FindingRecord)] == []
    assert connections_of(spawner) == []
    assert [connections_of(pid) for pid in pids] == [[], []]
    for spawn, pid in zip(spawns, pids, strict=True):
        assert json.loads(spawn.connect().get(HTTP_HOST="x")) == {
            "pid": pid,
            "loaded": {"database": 42, "cache": str(spawner)},
            "database": 42,
            "cache": str(pid),
        }
    assert cache_server.users == [{spawner}, {pids[0]}, {pids[1]}]
    assert cache_server.interleaved == []


AT_FORK = """
import os
from django.core.cache import caches
from django.db import connection

def open_both():
    caches["default"]
    connection.ensure_connection()

os.register_at_fork(before=open_both)
"""


def test_connections_that_are_open_when_it_forks_are_closed_in_the_worker(
    driver, shop, cache_server
):
    """Whoever opened them after the audit; the spawner's own stay as they are."""
    with open(Path(shop.root) / "shop" / "urls.py", "a") as urls:
        urls.write(AT_FORK)
    spawn = driver.spawn(shop, ("app",))
    pid = spawn.ready()
    assert len(connections_of(spawn.pid(APP))) == 2
    assert connections_of(pid) == []
    assert json.loads(spawn.connect().get(HTTP_HOST="x"))["cache"] == str(pid)
    assert [users for users in cache_server.users if pid in users] == [{pid}]
