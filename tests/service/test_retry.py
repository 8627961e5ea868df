"""A request goes to another worker if nobody has begun it, and else never.

For every moment at which a worker may die, and both orders in which the
controller may hear of it: the connection's end first, or the process's.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from passtwist.model import ExitStatus
from passtwist.pool import AppRemoved
from passtwist.service.in_flight import InFlight
from passtwist.service.sessions.gateway import MAX_ATTEMPTS
from passtwist.service.sessions.link import MOST_LOSSES
from passtwist.wire.frames import encode_frame
from passtwist.wire.session import (
    BODY,
    INTERIM,
    encode_body,
    encode_response_start,
)
from passtwist.worker.requests import RequestReader

HEAD = b"200 OK\r\n"
WHOLE = encode_response_start(HEAD) + encode_body(b"hello", last=True)
ANSWERED = [("answer", HEAD, b"hello")]
KILLED = ExitStatus(signal=9)


def hear_of_connection_first(world, worker):
    """The connection's end is seen, then that of the process."""
    worker.close()
    world.reactor.settle()
    worker.exit(KILLED)
    world.reactor.settle()


def hear_of_process_first(world, worker):
    """The exit status comes before the connection's end was read."""
    worker.exit(KILLED)
    world.reactor.settle()


both_orders = pytest.mark.parametrize(
    "die", [hear_of_connection_first, hear_of_process_first]
)


def answer(world, served, begin=True):
    """Read a request and answer it; what was read."""
    seen = served.read_request(begin)
    served.send(WHOLE)
    world.reactor.settle()
    return seen


def answered_by_another(world, recorder, body=b""):
    """The request goes to the next worker, whole, and that answers it."""
    assert recorder.calls == []
    _, (served,) = world.spawned()
    assert answer(world, served)[1] == body
    assert recorder.calls == ANSWERED


def served_once(world, **fields):
    """A worker that has answered one request, and is idle."""
    world.ask()
    worker, served = world.spawned(**fields)
    answer(world, served[0])
    return worker, served


# --- not begun ------------------------------------------------------------------


@both_orders
def test_died_before_it_read_anything(make_world, die):
    """What was sent to it is sent to the next."""
    world = make_world()
    session, recorder = world.ask(body=b"order")
    worker, _ = world.spawned()
    die(world, worker)
    answered_by_another(world, recorder, b"order")
    assert session.attempts == 2


@both_orders
def test_died_when_it_had_read_half_of_it(make_world, die):
    """Likewise."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    assert len(served.socket.recv(20)) == 20
    die(world, worker)
    answered_by_another(world, recorder, b"order")


@both_orders
def test_died_between_reading_and_noting_it(make_world, die):
    """The number is written before the app is called: so it was not called."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    served.read_request(begin=False)
    die(world, worker)
    answered_by_another(world, recorder, b"order")


@both_orders
def test_died_while_it_was_idle_and_nobody_had_heard_of_it(make_world, die):
    """The request is sent into a connection that has ended already."""
    world = make_world()
    worker, _ = served_once(world)
    worker.close()
    _, recorder = world.ask(body=b"order")
    die(world, worker)
    answered_by_another(world, recorder, b"order")


@both_orders
def test_died_before_its_new_connection_was_ready(make_world, die):
    """The request waited for that connection, and has not been sent at all."""
    world = make_world(max_pool_size=1)
    worker, (served,) = served_once(world)
    served.close()
    world.reactor.settle()  # another connection is made, and not accepted
    session, recorder = world.ask(body=b"order")
    assert session.worker_pid == worker.pid
    die(world, worker)
    answered_by_another(world, recorder, b"order")


@both_orders
def test_a_body_in_a_file_is_read_from_its_beginning_again(make_world, die):
    """Descriptors share the place to which the first worker had read."""
    world = make_world()
    body = os.urandom(200_000)
    with tempfile.TemporaryFile() as file:
        file.write(body)
        file.flush()
        _, recorder = world.ask(body_file=file.fileno(), body_length=len(body))
        worker, (served,) = world.spawned()
        _, _, first = RequestReader(served.socket).read()
        assert first.read(70_000) == body[:70_000]
        first.close()
        die(world, worker)
        assert recorder.calls == []
        _, (served,) = world.spawned()
        _, _, second = RequestReader(served.socket).read()
        assert second.read() == body
        second.close()
        served.send(WHOLE)
        world.reactor.settle()
    assert recorder.calls == ANSWERED


@both_orders
def test_after_so_many_workers_it_is_given_up(make_world, die):
    """502; it may be what kills them."""
    world = make_world()
    session, recorder = world.ask(body=b"order")
    for _ in range(MAX_ATTEMPTS):
        assert recorder.calls == []
        worker, (served,) = world.spawned()
        served.read_request(begin=False)
        die(world, worker)
    assert recorder.calls == [("fail", 502)]
    assert session.attempts == MAX_ATTEMPTS


@both_orders
def test_nobody_gets_it_when_its_client_has_left(make_world, die):
    """Neither is anything told to the client."""
    world = make_world()
    session, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    served.read_request(begin=False)
    session.abandon()
    die(world, worker)
    assert session.ended
    assert recorder.calls == []
    assert world.gateway.retried == 0


@both_orders
def test_it_is_refused_when_its_app_was_removed_meanwhile(make_world, die):
    """503, with the advice to come again."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    served.read_request(begin=False)
    world.gateway.tell(AppRemoved("app"))
    die(world, worker)
    assert recorder.calls == [("fail", 503)]
    assert recorder.failures[0].retry_after == 1


# --- begun ----------------------------------------------------------------------

SO_FAR = {
    "nothing": b"",
    "early hints": encode_frame(INTERIM, b"103 Early Hints\r\n"),
    "a head": encode_response_start(HEAD),
    "half of it": encode_response_start(HEAD) + encode_frame(BODY, b"he"),
    "all but the last byte": WHOLE[:-1],
}


@both_orders
@pytest.mark.parametrize("so_far", SO_FAR.values(), ids=SO_FAR)
def test_a_begun_request_gets_no_second_victim(make_world, die, so_far):
    """Whatever of an answer there was: 502, once, and nobody else is given it."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    served.read_request()
    served.send(so_far)
    die(world, worker)
    assert [call for call in recorder.calls if call[0] == "fail"] == [("fail", 502)]
    assert world.gateway.retried == 0
    _, (served,) = world.spawned()
    assert world.states() == ["idle"]


@both_orders
def test_an_answer_that_was_whole_is_delivered(make_world, die):
    """Also when the worker died as soon as it had given it."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    die(world, worker)
    assert recorder.calls == ANSWERED


@both_orders
def test_of_two_requests_in_a_worker_each_is_judged_by_itself(make_world, die):
    """The one that was begun is 502, the other goes to another worker."""
    world = make_world(concurrency=2, max_pool_size=1)
    recorders = {}
    for name in (b"begun", b"not begun"):
        _, recorders[name] = world.ask(body=name)
    worker, served = world.spawned(concurrency=2)
    for connection in served:
        # Which connection has which is known only when it is read.
        if connection.read_request(begin=False)[1] == b"begun":
            connection.note_begun()
    die(world, worker)
    assert recorders[b"begun"].calls == [("fail", 502)]
    assert recorders[b"not begun"].calls == []
    _, served = world.spawned(concurrency=2)
    ready = [one for one in served if one.has_something()]
    assert [answer(world, one)[1] for one in ready] == [b"not begun"]
    assert recorders[b"not begun"].calls == ANSWERED


@both_orders
def test_without_a_scoreboard_what_was_sent_was_begun(make_world, die):
    """Nobody can know, and twice is worse than not at all."""
    world = make_world()
    _, recorder = world.ask(body=b"order")
    worker, (served,) = world.spawned()
    worker.scoreboard = None
    served.read_request(begin=False)
    die(world, worker)
    assert recorder.calls == [("fail", 502)]


# --- connections that are of no use ---------------------------------------------


def test_a_worker_that_closes_connection_after_connection_is_given_up(make_world):
    """It would keep the controller busy for ever."""
    world = make_world(max_pool_size=1)
    worker, (served,) = served_once(world)
    _, recorder = world.ask(body=b"order")
    running = world.driver.workers[1]
    for _ in range(MOST_LOSSES):
        served.close()
        world.reactor.settle()
        assert not running.is_lost
        served = worker.accept()
        world.reactor.settle()
    served.close()
    world.reactor.settle()
    assert running.is_lost
    # It was given to a worker three times, and that was the same one.
    assert recorder.calls == [("fail", 502)]
    worker.exit(KILLED)
    world.reactor.settle()
    _, recorder = world.ask(body=b"order")
    answered_by_another(world, recorder, b"order")


def test_connections_that_were_of_use_may_be_closed_as_often_as_one_likes(make_world):
    """An app that fails in the middle of each of its responses, say."""
    world = make_world(max_pool_size=1)
    worker, (served,) = served_once(world)
    for _ in range(3 * MOST_LOSSES):
        _, recorder = world.ask()
        served.read_request()
        served.send(encode_response_start(HEAD))
        served.close()
        world.reactor.settle()
        assert recorder.calls == [("begin", HEAD), ("fail", 502)]
        served = worker.accept()
        world.reactor.settle()
    assert not world.driver.workers[1].is_lost
    assert world.states() == ["idle"]


# --- waiting for a connection -----------------------------------------------------


def waiting_for_connection(world):
    """A request whose worker lost its connection a moment before."""
    worker, (served,) = served_once(world)
    served.close()
    world.reactor.settle()
    session, recorder = world.ask(body=b"order")
    return worker, session, recorder


def states(world):
    """What `passtwist requests` would say."""
    gateway, workers = world.gateway, world.driver.workers
    flight = InFlight(world.pool, gateway.gates, workers, world.reactor.seconds)
    return [(one["state"], one["pid"]) for one in flight.page()["requests"]]


def test_a_request_that_waits_for_a_connection_is_sent_when_it_is_there(make_world):
    """Until then it says so."""
    world = make_world(max_pool_size=1)
    worker, _, recorder = waiting_for_connection(world)
    assert states(world) == [("connecting", worker.pid)]
    served = worker.accept()
    world.reactor.settle()
    assert states(world) == [("sent", worker.pid)]
    assert answer(world, served)[1] == b"order"
    assert recorder.calls == ANSWERED
    assert states(world) == []


def test_a_client_that_leaves_while_its_request_waits_so_reaches_no_worker(make_world):
    """The next one does, on that connection."""
    world = make_world(max_pool_size=1)
    worker, session, recorder = waiting_for_connection(world)
    session.abandon()
    assert states(world) == []
    _, following = world.ask(body=b"next")
    served = worker.accept()
    world.reactor.settle()
    assert answer(world, served)[1] == b"next"
    assert following.calls == ANSWERED
    assert (session.ended, recorder.calls) == (True, [])
    assert world.states() == ["idle"]
