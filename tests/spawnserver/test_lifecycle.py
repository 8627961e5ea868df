"""What app authors import."""

from __future__ import annotations

import pytest

from passtwist import lifecycle


@pytest.fixture(autouse=True)
def _no_listeners(monkeypatch):
    monkeypatch.setattr(lifecycle, "_listeners", {})


def test_listeners_are_remembered_in_order_and_stay_plain_functions():
    """Harmless without the server: nobody calls them."""

    @lifecycle.on("after_fork")
    def first():
        return 1

    @lifecycle.on("after_fork")
    @lifecycle.on("worker_started")
    def second():
        return 2

    assert lifecycle.listeners("after_fork") == [first, second]
    assert lifecycle.listeners("worker_started") == [second]
    assert (first(), second()) == (1, 2)


def test_an_event_that_does_not_exist_is_an_error_naming_those_that_do():
    """A slip of the pen must not mean that nothing ever happens."""
    with pytest.raises(ValueError) as caught:
        lifecycle.on("after_frok")
    assert str(caught.value) == (
        "no lifecycle event 'after_frok'; there are: "
        "before_fork, after_fork, worker_started, worker_stopping"
    )
