"""Fixtures for everyone who tests passtwist or a plugin for it.

Runs in: test processes.  pytest loads this module wherever passtwist is
installed, also for projects that have nothing to do with it; so it imports
nothing but pytest at first and changes nothing unless a test asks.

To hold every test of a suite to the rule that it leaves nothing behind, put
this into ``conftest.py``::

    @pytest.fixture(autouse=True)
    def _every_test_cleans_up(leaves_nothing_behind):
        pass

It must be the first fixture of its tests to be set up, so that it is the last
to look; an autouse fixture of the topmost ``conftest.py`` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.testing.failures import LoggedFailures


@pytest.fixture
def logged_failures() -> Iterator[LoggedFailures]:
    """The failures that Twisted logs during the test.

    A test that means a failure to be logged takes it away:
    ``assert len(logged_failures.flush(ZeroDivisionError)) == 1``.
    """
    from passtwist.testing.failures import LoggedFailures

    observer = LoggedFailures()
    observer.start()
    yield observer
    observer.stop()


@pytest.fixture(scope="session")
def _reactor_turns(request: pytest.FixtureRequest) -> bool:
    """Whether pytest-twisted has a reactor; from here on it runs."""
    from passtwist.testing.settling import start_reactor

    if not request.config.pluginmanager.hasplugin("twisted"):
        return False
    start_reactor()
    return True


@pytest.fixture
def leaves_nothing_behind(
    _reactor_turns: bool, logged_failures: LoggedFailures
) -> Iterator[None]:
    """Fail a test that leaves something behind, and say what.

    Things that count: a failure that Twisted logged (one that no Deferred
    handled, too), a delayed call, a reader or writer of the reactor, a child
    process, an open descriptor.  What a wider fixture made before is no
    leftover.  What is about to close by itself is given half a second.
    """
    from passtwist.testing.leftovers import Snapshot
    from passtwist.testing.settling import settle

    before = Snapshot.take()
    yield
    left = settle(before, _reactor_turns)
    lines = logged_failures.describe(logged_failures.flush())
    if left:
        lines += left.describe()
        left.remove()
    if lines:
        pytest.fail("the test left behind:\n  " + "\n  ".join(lines), pytrace=False)
