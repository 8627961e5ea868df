"""When a request is overdue, to the millisecond: on a clock that the test sets."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from passtwist.api.failures import NoStacks
from passtwist.model import ExitStatus
from passtwist.service.time_limits import AT_LEAST, AT_MOST, GRACE, TimeLimits
from passtwist.wire.scoreboard import STARTED_NS, slot_base
from passtwist.wire.session import encode_body, encode_response_start

HEAD = b"200 OK\r\n"
WHOLE = encode_response_start(HEAD) + encode_body(b"hello", last=True)
LIMIT = 2.0
MOMENT = 0.001


class CountedApps(dict):
    """Knows how often all of them were looked at."""

    looks = 0

    def items(self):
        self.looks += 1
        return super().items()


class Watched:
    """A world whose app has a limit."""

    def __init__(self, world, limit=LIMIT):
        self.world = world
        self.reactor = world.reactor
        world.app.settings = SimpleNamespace(health_check="", max_request_time=limit)
        self.apps = CountedApps(app=world.app)
        self.limits = TimeLimits(
            world.reactor,
            world.reactor.seconds,
            self.apps,
            world.driver.workers,
            world.gateway.tell,
        )
        self.limits.start()

    def advance(self, seconds):
        """Let time pass, in steps that are shorter than any that matters."""
        self.reactor.pump([MOMENT] * round(seconds / MOMENT))
        self.reactor.settle()

    def running(self, **fields):
        """A request that a new worker has begun: recorder, worker, connections."""
        session, recorder = self.world.ask()
        worker, served = self.world.spawned(**fields)
        served.sort(key=lambda one: not one.has_something())
        served[0].read_request()
        return session, recorder, worker, served


@pytest.fixture
def make_watched(make_world):
    watched = []

    def make(limit=LIMIT, **limits):
        watched.append(Watched(make_world(**limits), limit))
        return watched[-1]

    yield make
    for one in watched:
        one.limits.stop()


def test_a_request_is_never_ended_early_and_not_much_late(make_watched):
    """Not before its time, and at the next look after it."""
    watched = make_watched()
    _, recorder, worker, _ = watched.running()
    watched.advance(LIMIT - MOMENT)
    assert recorder.calls == []
    watched.advance(AT_LEAST)
    assert recorder.calls == [("fail", 504)]
    assert worker.asked == ["stacks"]


def test_term_comes_when_the_stacks_are_told_and_kill_after_the_grace(make_watched):
    """So that they show what it was at, and not how it leaves."""
    watched = make_watched()
    _, _, worker, _ = watched.running()
    watched.advance(LIMIT + AT_LEAST)
    assert worker.asked == ["stacks"]
    worker.tell_stacks()
    assert worker.asked == ["stacks", "terminate"]
    watched.advance(GRACE - AT_LEAST)
    assert worker.asked == ["stacks", "terminate"]
    watched.advance(AT_LEAST)
    assert worker.asked == ["stacks", "terminate", "kill"]


def test_a_worker_that_tells_no_stacks_is_ended_all_the_same(make_watched):
    """It may have been stopped by a signal."""
    watched = make_watched()
    _, _, worker, _ = watched.running()
    watched.advance(LIMIT + AT_LEAST)
    worker.tell_stacks(NoStacks("it is stopped"))
    assert worker.asked == ["stacks", "terminate"]


def test_a_worker_that_dies_before_it_has_told_is_let_be(make_watched):
    """Nothing is left to be asked, nor to be killed later."""
    watched = make_watched()
    _, _, worker, _ = watched.running()
    watched.advance(LIMIT + AT_LEAST)
    worker.exit(ExitStatus(signal=9))
    worker.tell_stacks(NoStacks("it has ended"))
    watched.advance(GRACE + AT_LEAST)
    assert worker.asked == ["stacks"]


def test_its_connection_is_closed_and_no_other_made(make_watched):
    """What it answers after that reaches nobody, and it is sent nothing more."""
    watched = make_watched()
    _, recorder, worker, (served,) = watched.running()
    watched.advance(LIMIT + AT_LEAST)
    with pytest.raises(OSError, match="Broken pipe"):
        served.send(WHOLE)
    worker.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        worker.listener.accept()
    _, other = watched.world.ask()
    watched.reactor.settle()
    assert (recorder.calls, other.calls) == ([("fail", 504)], [])
    assert watched.world.states() == ["draining", "starting"]


def test_time_counts_from_when_the_app_was_called(make_watched):
    """Which the worker says; but it is believed only so far."""
    watched = make_watched()
    session, recorder, worker, _ = watched.running()
    begun = slot_base(0) + STARTED_NS
    worker.scoreboard[begun] = round((session.started_at + 1.5) * 1e9)
    watched.advance(LIMIT + 1.5 - MOMENT)
    assert recorder.calls == []
    watched.advance(AT_LEAST)
    assert recorder.calls == [("fail", 504)]


def test_a_worker_can_not_put_off_its_end(make_watched):
    """By saying again and again that it began just now."""
    watched = make_watched()
    _, recorder, worker, _ = watched.running()
    worker.scoreboard[slot_base(0) + STARTED_NS] = 2**63
    watched.advance(2 * LIMIT - MOMENT)
    assert recorder.calls == []
    watched.advance(AT_LEAST)
    assert recorder.calls == [("fail", 504)]


def test_requests_of_one_worker_are_overdue_each_by_itself(make_watched):
    """The worker is asked for stacks and condemned once."""
    watched = make_watched(concurrency=2, max_pool_size=1)
    _, first, worker, served = watched.running(concurrency=2)
    watched.advance(1.0)
    _, second = watched.world.ask()
    (waiting,) = [one for one in served if one.has_something()]
    waiting.read_request()
    watched.advance(LIMIT - 1.0 + AT_LEAST)
    assert (first.calls, second.calls) == ([("fail", 504)], [])
    watched.advance(1.0)
    assert second.calls == [("fail", 504)]
    assert worker.asked == ["stacks"]


def test_the_other_requests_of_that_worker_are_answered(make_watched):
    """If they end before it is killed."""
    watched = make_watched(concurrency=2, max_pool_size=1)
    _, first, _, served = watched.running(concurrency=2)
    watched.advance(1.0)
    _, second = watched.world.ask()
    (other,) = [one for one in served if one.has_something()]
    other.read_request()
    watched.advance(LIMIT - 1.0 + AT_LEAST)
    assert first.calls == [("fail", 504)]
    other.send(WHOLE)
    watched.reactor.settle()
    assert second.calls == [("answer", HEAD, b"hello")]


def test_one_that_was_not_begun_waits_for_the_end_of_its_worker(make_watched):
    """It may still be begun; when that is out of the question it is retried."""
    watched = make_watched(max_pool_size=1)
    _, recorder = watched.world.ask(body=b"order")
    worker, (served,) = watched.world.spawned()
    watched.advance(LIMIT + AT_LEAST)
    assert worker.asked == ["stacks"]
    assert recorder.calls == []
    assert served.read_request(begin=False)[1] == b"order"
    worker.exit(ExitStatus(signal=9))
    assert recorder.calls == []
    _, (served,) = watched.world.spawned()
    assert served.read_request()[1] == b"order"
    served.send(WHOLE)
    watched.reactor.settle()
    assert recorder.calls == [("answer", HEAD, b"hello")]


def test_one_that_was_not_even_sent_goes_to_another_worker_at_once(make_watched):
    """It waits for a connection that its worker does not take."""
    watched = make_watched(max_pool_size=2)
    _, _, worker, (served,) = watched.running()
    served.send(WHOLE)
    served.close()
    watched.reactor.settle()
    session, recorder = watched.world.ask()
    assert session.worker_pid == worker.pid
    watched.advance(LIMIT + AT_LEAST)
    assert worker.asked == ["stacks"]
    _, (served,) = watched.world.spawned()
    served.read_request()
    served.send(WHOLE)
    watched.reactor.settle()
    assert recorder.calls == [("answer", HEAD, b"hello")]


def test_one_whose_client_has_left_counts_as_well(make_watched):
    """Nobody is told, but the worker is ended."""
    watched = make_watched()
    session, recorder, worker, _ = watched.running()
    session.abandon()
    watched.advance(LIMIT + AT_LEAST)
    assert recorder.calls == []
    assert worker.asked == ["stacks"]


def test_without_a_limit_nothing_is_ended_and_a_new_limit_is_heard_of(make_watched):
    """Some seconds after it was set, at the latest."""
    watched = make_watched(limit=0.0)
    _, recorder, worker, _ = watched.running()
    watched.advance(AT_MOST + LIMIT)
    assert (recorder.calls, worker.asked) == ([], [])
    watched.world.app.settings.max_request_time = LIMIT
    watched.advance(AT_MOST)
    assert recorder.calls == [("fail", 504)]


def test_requests_that_end_in_time_cost_one_look_for_each_limit(make_watched):
    """However many there are."""
    watched = make_watched()
    _, _, worker, (served,) = watched.running()
    served.send(WHOLE)
    watched.reactor.settle()
    watched.apps.looks = 0
    for _ in range(100):
        watched.world.ask()
        served.read_request()
        served.send(WHOLE)
        watched.advance(0.1)
    assert worker.asked == []
    assert watched.apps.looks <= 10.0 / LIMIT + 1
