"""What holds for every test of this plugin."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _every_test_cleans_up(leaves_nothing_behind):
    """No test leaves a failure, timer, socket, process or descriptor behind."""
