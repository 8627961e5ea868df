"""Visitors of a real server come back to their worker."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until

WORKERS = 3
VISITORS = 12

# "/hold/NAME" answers when there is a file "gate-NAME" beside it.
APP = """
import os
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def application(environ, start_response):
    _, _, name = environ["PATH_INFO"].partition("/hold/")
    if name:
        open(os.path.join(HERE, "held-" + name), "w").close()
        end = time.monotonic() + 60
        while not os.path.exists(os.path.join(HERE, "gate-" + name)):
            if time.monotonic() > end:
                break
            time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""

CONFIG = """
[server]
trusted_proxies = ["127.0.0.1/32"]

[[app]]
name = "shop"
root = "{root}"
base_uri = "/shop"
prestart = true
min_instances = {workers}
max_instances = {workers}
spawn_concurrency = {workers}
"""


class Visitor:
    """A browser that has only our cookie."""

    def __init__(self, server):
        self.server = server
        self.cookie = ""
        self.cookies = []

    def ask(self, path="/shop/", **headers):
        """The pid of the worker that answered."""
        if self.cookie:
            headers["Cookie"] = self.cookie
        answer = self.server.get(path, headers=headers)
        assert answer.status == 200
        if "Set-Cookie" in answer.headers:
            self.cookies.append(answer.headers["Set-Cookie"])
            self.cookie = self.cookies[-1].partition(";")[0]
        return int(answer.text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "passenger_wsgi.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory, root):
    config = tmp_path_factory.mktemp("server") / "passtwist.toml"
    config.write_text(CONFIG.format(root=root, workers=WORKERS))
    with RunningServer(f"--config={config}") as running:
        yield running


@pytest.fixture
def server(running):
    """With all its workers idle."""
    wait_until(
        lambda: len(running.workers("shop", "idle")) == WORKERS,
        "all workers to be idle",
    )
    return running


@contextmanager
def held(visitor, root, name):
    """A request of *visitor* that is in its worker until the end of the block."""
    thread = threading.Thread(target=visitor.ask, args=[f"/shop/hold/{name}"])
    thread.start()
    try:
        wait_until((root / f"held-{name}").exists, "the request to begin")
        yield
    finally:
        (root / f"gate-{name}").touch()
        thread.join()


def test_requests_with_the_cookie_go_to_the_worker_that_set_it(server, root):
    """Not to the oldest idle one, which gets all others."""
    first, second = Visitor(server), Visitor(server)
    with held(first, root, "first"):
        elsewhere = second.ask()
    at_home = first.ask()
    assert elsewhere != at_home
    for _ in range(VISITORS):
        assert (first.ask(), second.ask()) == (at_home, elsewhere)
    assert (len(first.cookies), len(second.cookies)) == (1, 1)


def test_the_cookie_is_the_app_s_own_and_says_nothing(server):
    """Its path is the base URI; no pid is in it."""
    visitor = Visitor(server)
    pid = visitor.ask()
    (cookie,) = visitor.cookies
    value, *attributes = cookie.split("; ")
    assert attributes == ["Path=/shop", "HttpOnly", "SameSite=Lax"]
    name, _, mark = value.partition("=")
    assert (name, len(mark)) == ("_passtwist_route", 48)
    assert mark not in {f"{pid:048x}", f"{pid:048d}"}


def test_the_cookie_is_secure_when_a_trusted_proxy_says_https(server):
    """And only then."""
    visitor = Visitor(server)
    visitor.ask(**{"X-Forwarded-Proto": "https"})
    (cookie,) = visitor.cookies
    assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")


def test_who_finds_the_worker_busy_is_served_by_another_and_gets_its_cookie(
    server, root
):
    """Nobody waits for a worker while others are idle."""
    visitor = Visitor(server)
    at_home = visitor.ask()
    other = Visitor(server)
    other.cookie = visitor.cookie
    with held(other, root, "other"):
        moved = visitor.ask()
    assert moved != at_home
    assert visitor.ask() == moved
    assert len(visitor.cookies) == 2


def test_who_finds_the_worker_gone_gets_another(server):
    """And stays there."""
    visitor = Visitor(server)
    gone = visitor.ask()
    os.kill(gone, signal.SIGKILL)
    wait_until(
        lambda: gone not in {worker["pid"] for worker in server.workers("shop")},
        "the death to be noticed",
    )
    moved = visitor.ask()
    assert moved != gone
    assert visitor.ask() == moved
    assert len(visitor.cookies) == 2


def test_a_made_up_cookie_leads_nowhere(server):
    """And is replaced."""
    visitor = Visitor(server)
    visitor.cookie = "_passtwist_route=" + 48 * "0"
    visitor.ask()
    assert len(visitor.cookies) == 1
