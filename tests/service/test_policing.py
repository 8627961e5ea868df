"""A plugin's say in which worker a request gets."""

from __future__ import annotations

import pytest
from twisted.logger import globalLogPublisher
from zope.interface import implementer
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import IPoolPolicy, IResponder
from passtwist.model import Limits
from passtwist.pool import AppAdded, Pool, PoolLimits, StartSpawn, WorkerReady
from passtwist.service.sessions.gateway import Gateway
from passtwist.service.sessions.policing import Policing

from .conftest import PlainRequest, Recorder

HEAD = b"200 OK\r\nA: b\r\n"


@implementer(IPoolPolicy)
class Wish:
    """Prefers and adds what it is told to; an exception is raised."""

    name = "wish"
    description = "what the test says"

    def __init__(self, worker=0, headers=b""):
        self.worker = worker
        self.lines = headers
        self.asked = []

    def prefer(self, app, request):
        if isinstance(self.worker, Exception):
            raise self.worker
        return self.worker

    def headers(self, app, request, worker):
        self.asked.append((app, request, worker))
        if isinstance(self.lines, Exception):
            raise self.lines
        return self.lines


class PlayedLink:
    """Takes sessions for a worker, as `WorkerLink.run` does."""

    def __init__(self, number):
        self.number = number
        self.sessions = []

    def run(self, session):
        session.attempts += 1
        session.worker = self.number
        self.sessions.append(session)


class World:
    """A gateway with *workers* idle workers and a policy."""

    def __init__(self, policy, workers=3):
        self.now = 0.0
        pool = Pool(PoolLimits(max_pool_size=workers))
        self.policing = Policing(policy, pool, lambda: self.now)
        self.gateway = Gateway(
            pool, lambda: self.now, lambda action: None, self.policing.checkout
        )
        limits = Limits(min_instances=workers, spawn_concurrency=workers, prestart=True)
        for action in pool.handle(AppAdded("app", limits), 0.0):
            if isinstance(action, StartSpawn):
                pool.handle(WorkerReady(action.worker, 1), 0.0)
                link = PlayedLink(action.worker)
                self.gateway.links[action.worker] = link

    def ask(self):
        recorder = Recorder()
        session = self.gateway.submit("app", PlainRequest(), recorder)
        return session, recorder


@pytest.fixture
def complaints(logged_failures):
    """What is logged with a failure while the test runs."""
    logged = []

    def observe(event):
        if "log_failure" in event:
            logged.append(event)

    globalLogPublisher.addObserver(observe)
    yield logged
    globalLogPublisher.removeObserver(observe)
    logged_failures.flush(ValueError, TypeError)


def test_the_preferred_worker_gets_the_request():
    """Not the oldest, which would have it otherwise."""
    policy = Wish(worker=3)
    assert verifyObject(IPoolPolicy, policy)
    session, _ = World(policy).ask()
    assert session.worker == 3


def test_a_worker_that_is_busy_or_unknown_is_not_waited_for():
    """The oldest of the others has it."""
    world = World(Wish(worker=3))
    workers = [world.ask()[0].worker for _ in range(3)]
    assert workers == [3, 1, 2]
    assert World(Wish(worker=99)).ask()[0].worker == 1
    assert World(Wish(worker=0)).ask()[0].worker == 1


def test_headers_are_added_to_the_answer_for_the_worker_that_gave_it():
    """At the end, whether it comes whole or in pieces."""
    policy = Wish(worker=2, headers=b"C: d\r\n")
    world = World(policy)
    whole, recorder = world.ask()
    assert verifyObject(IResponder, whole.responder)
    whole.responder.answer(HEAD, b"body")
    pieces, other = world.ask()
    pieces.responder.interim(b"103 Early Hints\r\n")
    pieces.responder.begin(HEAD)
    pieces.responder.write(b"bo")
    pieces.responder.finish()
    assert recorder.calls == [("answer", HEAD + b"C: d\r\n", b"body")]
    assert other.calls == [
        ("interim", b"103 Early Hints\r\n"),
        ("begin", HEAD + b"C: d\r\n"),
        ("write", b"bo"),
        ("finish",),
    ]
    assert policy.asked == [("app", whole.request, 2), ("app", pieces.request, 1)]


def test_a_request_that_another_worker_has_to_take_is_policed_once():
    """The second checkout asks again for a worker, but adds headers once."""
    world = World(Wish(worker=2, headers=b"C: d\r\n"))
    session, recorder = world.ask()
    world.gateway.not_begun(session)
    assert (session.attempts, session.worker) == (2, 1)
    # As when it was granted a worker that was gone by then.
    session.attempts = 0
    world.gateway.not_begun(session)
    assert session.worker == 3
    session.responder.answer(HEAD, b"")
    assert recorder.calls == [("answer", HEAD + b"C: d\r\n", b"")]


@pytest.mark.parametrize("worker", [ValueError("broken"), "two", None])
def test_a_policy_that_fails_to_prefer_is_left_out(worker, complaints):
    """And named in the log; the request goes where it would without it."""
    assert World(Wish(worker=worker)).ask()[0].worker == 1
    (complaint,) = complaints
    assert (complaint["policy"], complaint["method"]) == ("wish", "prefer")


@pytest.mark.parametrize(
    "headers", [ValueError("broken"), "A: b\r\n", b"A: b", b"A: b\n", b"A b\r\n", None]
)
def test_a_policy_that_fails_with_headers_adds_none(headers, complaints):
    """The answer is the app's, unchanged."""
    session, recorder = World(Wish(headers=headers)).ask()
    session.responder.answer(HEAD, b"")
    assert recorder.calls == [("answer", HEAD, b"")]
    (complaint,) = complaints
    assert complaint["method"] == "headers"


def test_a_broken_policy_is_logged_once_a_minute(complaints):
    """Else a visitor could fill the log."""
    world = World(Wish(worker="two"))
    for seconds in (0, 1, 59, 60, 61):
        world.now = float(seconds)
        world.ask()
    assert len(complaints) == 2
