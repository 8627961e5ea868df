"""Fixtures of the worker's tests: its WSGI half on one end of a socketpair."""

from __future__ import annotations

import socket

import pytest

from tests.worker.controller_end import Controller


@pytest.fixture
def controller():
    """The controller's end of a session, and what answers at the other."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Controller(ours, theirs)
