"""Restarts and gates: who asks, who waits, who is let through; the pool is played."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from passtwist.errors import SpawnError
from passtwist.model import APP_ERROR
from passtwist.pool import (
    RestartBegan,
    RestartFailed,
    RestartFinished,
    RestartRequested,
    RestartSuperseded,
)
from passtwist.service.gates import Gates
from passtwist.service.restarts import RestartOutcome, Restarts
from passtwist.service.sessions.gateway import Gateway

from .conftest import PlainRequest, Recorder

ERROR = SpawnError(APP_ERROR, "app shop: it is broken", "Mend it.")
PAGE = [b"HTTP_ACCEPT", b"text/html,application/xhtml+xml,*/*;q=0.8"]
PICTURE = [b"HTTP_ACCEPT", b"image/avif,*/*;q=0.8"]


class PlayedApp:
    def __init__(self, environment):
        self.settings = SimpleNamespace(environment=environment, max_queue_size=3)
        self.given_up = []

    def give_up(self, generation):
        self.given_up.append(generation)


class PlayedPool:
    """Takes every session; they wait."""

    def __init__(self):
        self.taken = []
        self.outbox = []

    def checkout(self, app, session, now):
        if app == "gone":
            raise KeyError(app)
        self.taken.append(session)

    def cancel(self, app, session, now):
        """It may not wait here."""


class World:
    def __init__(self, environment="production"):
        self.told = []
        self.apps = {"shop": PlayedApp(environment), "blog": PlayedApp(environment)}
        self.pool = PlayedPool()
        self.gateway = Gateway(self.pool, lambda: 0.0, self.told.append)
        self.restarts = Restarts(self.told.append, self.apps)
        self.gates = Gates(self.gateway, self.restarts, self.apps)
        self.notice = self.restarts.noticed

    def began(self, generation, app="shop"):
        self.notice(RestartBegan(app, generation, "x"))

    def finished(self, generation, app="shop"):
        self.notice(RestartFinished(app, generation, 1.5))

    def failed(self, generation, serving=2, error=ERROR):
        self.notice(RestartFailed("shop", generation, error, serving))

    def ask(self, pairs=(), app="shop"):
        recorder = Recorder()
        pairs = [b"REQUEST_METHOD", b"GET", *pairs]
        session = self.gateway.submit(app, PlainRequest(pairs=pairs), recorder)
        return session, recorder


@pytest.fixture
def world():
    return World()


@pytest.fixture
def development():
    return World("development")


def result(deferred):
    """What it has fired with, None before."""
    assert isinstance(deferred, Deferred)
    return getattr(deferred, "result", None)


# --- restarts ---------------------------------------------------------------------


def test_a_restart_is_asked_of_the_pool(world):
    """With its reason; the answer is what has begun before."""
    assert world.restarts.request("shop", "why not") == 0
    assert world.told == [RestartRequested("shop", "why not")]
    with pytest.raises(KeyError):
        world.restarts.request("nobody", "why not")


def test_who_waits_is_told_how_it_ended(world):
    """Each of them; and who comes later, too."""
    world.restarts.request("shop", "x")
    waiting = world.restarts.wait("shop"), world.restarts.wait("shop")
    world.began(1)
    assert list(map(result, waiting)) == [None, None]
    world.finished(1)
    expected = RestartOutcome("shop", 1, 1.5)
    assert list(map(result, waiting)) == [expected] * 2
    assert result(world.restarts.wait("shop")) == expected


def test_a_failed_restart_has_an_error_and_no_exception(world):
    """And its code is given up."""
    world.restarts.request("shop", "x")
    waiting = world.restarts.wait("shop")
    world.began(1)
    world.failed(1)
    assert result(waiting) == RestartOutcome("shop", 1, error=ERROR, serving=2)
    assert world.apps["shop"].given_up == [1]


def test_a_sentence_becomes_an_error(world):
    """The pool may have no more than that."""
    world.began(1)
    world.failed(1, error="the server stops")
    assert str(world.restarts.outcome("shop", 0).error) == "app shop: the server stops"


def test_the_end_of_an_older_restart_is_not_waited_for(world):
    """What was asked for begins later; the code may have changed meanwhile."""
    world.began(1)
    assert world.restarts.request("shop", "x") == 1
    waiting = world.restarts.wait("shop")
    world.finished(1)
    assert result(waiting) is None
    world.began(2)
    world.finished(2)
    assert result(waiting) == RestartOutcome("shop", 2, 1.5)


def test_a_superseded_restart_ends_as_the_newer_one_does(world):
    """And its code is given up at once."""
    world.restarts.request("shop", "x")
    waiting = world.restarts.wait("shop")
    world.began(1)
    world.notice(RestartSuperseded("shop", 1))
    world.began(2)
    assert (result(waiting), world.apps["shop"].given_up) == (None, [1])
    assert world.restarts.is_running("shop")
    world.finished(2)
    assert result(waiting) == RestartOutcome("shop", 2, 1.5)
    assert not world.restarts.is_running("shop")


def test_apps_do_not_wait_for_each_other(world):
    """An outcome is one app's."""
    for app in ("shop", "blog"):
        world.restarts.request(app, "x")
    waiting = world.restarts.wait("shop")
    world.began(1, "blog")
    world.finished(1, "blog")
    assert result(waiting) is None


def test_who_waits_for_an_app_that_is_removed_is_told_so(world):
    """And a later app of that name begins anew."""
    world.restarts.request("shop", "x")
    waiting = world.restarts.wait("shop")
    world.began(1)
    world.restarts.forget("shop")
    assert "was removed" in str(result(waiting).error)
    assert (world.restarts.begun("shop"), world.restarts.outcome("shop", 0)) == (
        0,
        None,
    )


# --- gates: always_restart.txt ------------------------------------------------------


def test_without_a_gate_requests_go_to_the_pool(world):
    """And none is even looked for."""
    session, _ = world.ask()
    assert (world.pool.taken, world.gateway.gates) == ([session], {})


def test_a_request_waits_for_a_restart_that_begins_after_it(world):
    """The first one asks for it; who comes before it begins waits for the same."""
    world.gates.restart_before_requests("shop", "always")
    first, _ = world.ask()
    second, _ = world.ask()
    assert world.told == [RestartRequested("shop", "always")]
    world.began(1)
    assert world.pool.taken == []
    world.finished(1)
    assert world.pool.taken == [first, second]


def test_a_request_that_comes_during_a_restart_waits_for_the_next(world):
    """Which is asked for when the first has ended, so that it can end."""
    world.gates.restart_before_requests("shop", "always")
    first, _ = world.ask()
    world.began(1)
    late, _ = world.ask()
    assert len(world.told) == 1
    assert list(world.gates.held()) == [first, late]
    world.finished(1)
    assert world.pool.taken == [first]
    assert world.told == [RestartRequested("shop", "always")] * 2
    world.began(2)
    world.finished(2)
    assert world.pool.taken == [first, late]


def test_other_apps_are_not_held(world):
    world.gates.restart_before_requests("shop", "always")
    session, _ = world.ask(app="blog")
    assert world.pool.taken == [session]


def test_when_the_file_goes_who_waits_still_gets_new_code(world):
    """Who comes later does not wait, and the gate goes with the last who does."""
    world.gates.restart_before_requests("shop", "always")
    held, _ = world.ask()
    world.gates.restart_before_requests("shop", "")
    free, _ = world.ask()
    assert world.pool.taken == [free]
    world.began(1)
    world.finished(1)
    assert (world.pool.taken, world.gateway.gates) == ([free, held], {})


def test_a_client_that_leaves_while_it_is_held_reaches_nobody(world):
    """Neither the pool nor a worker."""
    world.gates.restart_before_requests("shop", "always")
    gone, recorder = world.ask()
    stays, _ = world.ask()
    gone.abandon()
    assert list(world.gates.held()) == [stays]
    world.began(1)
    world.finished(1)
    assert (world.pool.taken, gone.ended, recorder.calls) == ([stays], True, [])


def test_no_more_requests_are_held_than_may_wait(world):
    """The others are refused, and may ask again; whose client left has no place."""
    world.gates.restart_before_requests("shop", "always")
    waiting = [world.ask()[0] for _ in range(3)]
    _, refused = world.ask()
    assert refused.calls == [("fail", 503)]
    waiting[0].abandon()
    late, recorder = world.ask()
    assert list(world.gates.held()) == [*waiting[1:], late]
    assert recorder.calls == []


def test_a_failed_restart_lets_them_through_to_the_old_code(world):
    """Visitors of production are never shown an error for want of new code."""
    world.gates.restart_before_requests("shop", "always")
    session, _ = world.ask(PAGE)
    world.began(1)
    world.failed(1)
    assert world.pool.taken == [session]


def test_requests_held_for_an_app_that_is_removed_are_refused(world):
    """The pool knows it no more."""
    world.apps["gone"] = world.apps["shop"]
    world.gates.restart_before_requests("gone", "always")
    _, recorder = world.ask(app="gone")
    world.restarts.forget("gone")
    assert recorder.calls == [("fail", 503)]


# --- gates: development -------------------------------------------------------------


def test_in_development_pages_show_why_new_code_does_not_start(development):
    """Instead of answers of the old code, which would hide it; other things come."""
    development.began(1)
    development.failed(1)
    _, page = development.ask(PAGE)
    picture, _ = development.ask(PICTURE)
    plain, _ = development.ask()
    assert page.calls == [("fail", 500)]
    assert development.pool.taken == [picture, plain]


def test_in_production_the_old_code_answers(world):
    """There is not even a gate."""
    world.began(1)
    world.failed(1)
    page, _ = world.ask(PAGE)
    assert (world.pool.taken, world.gateway.gates) == ([page], {})


def test_while_it_is_being_mended_pages_wait(development):
    """Who has saved the file and asks again sees what came of it, not of before."""
    development.began(1)
    development.failed(1)
    development.began(2)
    page, recorder = development.ask(PAGE)
    picture, _ = development.ask(PICTURE)
    assert (development.pool.taken, recorder.calls) == ([picture], [])
    development.finished(2)
    assert development.pool.taken == [picture, page]
    assert development.gateway.gates == {}


def test_if_it_is_still_broken_those_who_waited_see_it(development):
    """With the new error."""
    development.began(1)
    development.failed(1)
    development.began(2)
    _, recorder = development.ask(PAGE)
    development.failed(2)
    assert recorder.calls == [("fail", 500)]


def test_without_workers_the_next_request_sees_for_itself(development):
    """It starts one."""
    development.began(1)
    development.failed(1, serving=0)
    page, _ = development.ask(PAGE)
    assert development.pool.taken == [page]
