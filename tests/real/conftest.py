"""Interpreters with applications of others, and what the tests of them share."""

from __future__ import annotations

import sys

import pytest

from tests.real.virtualenvs import IndexUnreachable, virtualenv

DJANGO = "Django>=5.2,<5.3"


def interpreter_with(
    name: str, *requirements: str, python: str = sys.executable
) -> str:
    """Path of an interpreter that has *requirements*, and nothing of ours."""
    try:
        return str(virtualenv(name, *requirements, python=python))
    except IndexUnreachable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def trac_python() -> str:
    """Trac; it imports pkg_resources, which later setuptools have no more."""
    return interpreter_with("trac", "Trac>=1.6,<1.7", "setuptools<81")


@pytest.fixture(scope="session")
def httpbin_python() -> str:
    """httpbin, with the Flask that it brings."""
    return interpreter_with("httpbin", "httpbin>=0.10,<0.11", "Flask<4")


@pytest.fixture(scope="session")
def django_python() -> str:
    """Django alone."""
    return interpreter_with("django", DJANGO)


@pytest.fixture
def other_django_python(request, interpreters) -> str:
    """Django in another version of Python, which is the fixture's parameter."""
    return interpreter_with("django", DJANGO, python=interpreters[request.param])
