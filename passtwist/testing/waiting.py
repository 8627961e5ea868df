"""Wait for a condition, never for a time.

Runs in: tests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PAUSE = 0.01  # seconds between two looks
PATIENCE = 30.0  # seconds; for machines that are busy with other things


def wait_until(
    condition: Callable[[], T | None], what: str, patience: float = PATIENCE
) -> T:
    """Look until *condition* answers something true; answer that.

    :param what: what is waited for, for the message.
    :raises AssertionError: it did not happen within *patience* seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain for {what}")
        time.sleep(PAUSE)
