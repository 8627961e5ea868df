"""The configured warm-up requests."""

from __future__ import annotations

import json

import pytest

from passtwist.model import APP, WORKER, AppSpec
from passtwist.spawnserver import warmup
from tests.spawnserver.driver import make_app, until

COUNTING = """
import json
seen = []

def app(environ, start_response):
    if "passtwist.warmup" in environ:
        place = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        place += "?" + environ["QUERY_STRING"]
        seen.append(place)
        if "exit" in place:
            raise SystemExit(3)
        if "lost" in place:
            start_response("404 Not Found", [])
            return []
    start_response("200 OK", [])
    return [json.dumps(seen).encode()]
"""
TARGETS = ("/", "/exit", "/lost", "/login/?next=x")


@pytest.mark.parametrize(("route", "who"), [((), WORKER), (("app",), APP)], ids=str)
def test_warm_up_requests_are_made_once_and_failures_are_only_logged(
    driver, tmp_path, route, who
):
    """In the spawner, so that all workers have the good of it."""
    app = make_app(tmp_path / "site", COUNTING, warmup=TARGETS, base_uri="/shop")
    for _ in range(2):
        spawn = driver.spawn(app, route)
        spawn.ready()
        seen = json.loads(spawn.connect().get())
        assert seen == ["/shop/?", "/shop/exit?", "/shop/lost?", "/shop/login/?next=x"]
    first = driver.spawns[0]

    def logged():
        first.drain()
        return b"GET '/lost'" in first.output[who]

    until(logged, "the log")
    text = first.output[who].decode()
    assert "passtwist: warm-up GET '/lost': 404 Not Found\n" in text
    assert "SystemExit: 3" in text
    assert "GET '/login" not in text


def test_the_result_of_a_warm_up_request_is_read_and_closed():
    """As a server must."""

    class Result(list):
        closed = 0

        def close(self):
            self.closed += 1

    result = Result([b"x"])

    def app(environ, start_response):
        start_response("302 Found", [])(b"written")
        return result

    assert warmup.get(app, AppSpec("a", "/a"), "/") == "302 Found"
    assert result.closed == 1


def test_paths_of_any_language_are_encoded_as_wsgi_has_them():
    """UTF-8 bytes as latin-1 text."""
    seen = []

    def app(environ, start_response):
        seen.append(environ["PATH_INFO"].encode("latin-1").decode())
        start_response("200 OK", [])
        return []

    warmup.get(app, AppSpec("a", "/a"), "/caf\u00e9")
    assert seen == ["/caf\u00e9"]
