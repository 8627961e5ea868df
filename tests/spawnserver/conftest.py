"""Fixtures of the spawn server's tests."""

from __future__ import annotations

import sys

import pytest

from tests.spawnserver.driver import Driver, make_app, subreaper

HELLO = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello from %d" % os.getpid()]
"""


@pytest.fixture
def driver(tmp_path):
    """A controller's stand-in with a running manager."""
    with subreaper():
        driver = Driver(tmp_path)
        yield driver
        driver.close()


@pytest.fixture(
    params=[
        pytest.param(version, marks=pytest.mark.interpreter(version))
        for version in ("3.9", "3.10", "3.12", "3.13", "3.14")
    ]
    + ["ours"]
)
def python(request, interpreters):
    """Each interpreter that an app may bring, as a path."""
    if request.param == "ours":
        return sys.executable
    major, minor = request.param.split(".")
    return interpreters[int(major), int(minor)]


@pytest.fixture
def hello(tmp_path):
    """An app that says hello."""
    return make_app(tmp_path / "hello", HELLO)
