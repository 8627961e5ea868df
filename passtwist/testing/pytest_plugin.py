"""Fixtures for everyone who tests passtwist or a plugin for it.

Runs in: test processes.  pytest loads this module wherever passtwist is
installed, also for projects that have nothing to do with it; so it imports
nothing but pytest at first and changes nothing unless a test asks.

See docs/how-to/hold-tests-to-cleaning-up.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.testing.failures import LoggedFailures

# Their assertions are to be as telling as a test's own.
pytest.register_assert_rewrite(
    "passtwist.testing.child_halves",
    "passtwist.testing.conformance_frameworks",
    "passtwist.testing.conformance_spawn_methods",
    "passtwist.testing.hostile",
    "passtwist.testing.sessions",
)


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
