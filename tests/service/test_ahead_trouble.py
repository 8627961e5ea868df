"""Workers die or misbehave, and responders fail, while a request was sent ahead.

The pool, the gateway and the reading of requests in the worker are the real ones.
"""

from __future__ import annotations

import pytest
from twisted.python.failure import Failure

from passtwist.api.failures import RequestFailure
from passtwist.pool import TimePassed
from passtwist.service.sessions.session import RUNNING

from .conftest import Recorder
from .hands import Hand, answered, connection_of, of, whole

both_orders = pytest.mark.parametrize("process_first", [False, True])


def served_by_another(world, asked):
    """A new worker finds that request first and answers it."""
    another = Hand(world)
    another.take()
    assert another.number == asked[0].number
    another.answer()
    world.reactor.settle()
    assert asked[1].calls == answered(asked)


@both_orders
def test_died_at_the_request_before(make_crowd, process_first):
    """That one is lost, the one behind it was not begun."""
    world, (hand,), (second, third) = make_crowd()
    hand.die(process_first)
    assert second[1].calls == [("fail", 502)]
    served_by_another(world, third)


@both_orders
def test_died_when_it_had_taken_it_and_not_begun(make_crowd, process_first):
    """The answer before is there, and the request goes to another worker."""
    world, (hand,), (second, third) = make_crowd()
    hand.answer()
    hand.take(begin=False)
    hand.die(process_first)
    assert second[1].calls == answered(second)
    assert third[1].calls == []
    served_by_another(world, third)


@both_orders
def test_died_when_it_had_begun(make_crowd, process_first):
    """Nobody may begin it again."""
    _, (hand,), (second, third) = make_crowd()
    hand.answer()
    hand.take()
    hand.die(process_first)
    assert second[1].calls == answered(second)
    assert third[1].calls == [("fail", 502)]


def test_an_answer_too_many_is_not_taken_for_that_to_the_next(make_crowd):
    """The worker has not begun the next."""
    world, (hand,), (second, third) = make_crowd()
    hand.served.send(whole(b"%d" % hand.number) + whole(b"not yours"))
    world.reactor.settle()
    assert second[1].calls == answered(second)
    assert third[1].calls == []


def test_a_worker_that_takes_a_request_without_answering_is_given_up(make_crowd):
    """Who knows what it does with them: nobody is told a lie, or served twice."""
    world, (hand,), (second, third) = make_crowd()
    hand.take()
    world.gateway.tell(TimePassed())
    assert second[1].calls == [("fail", 502)]
    assert third[1].calls == [("fail", 502)]
    assert world.pool.waiting() == []


@both_orders
def test_a_worker_that_has_gone_on_without_answering_dies(make_crowd, process_first):
    """It may have done both: nobody does them again."""
    _, (hand,), (second, third) = make_crowd()
    hand.take()
    hand.die(process_first)
    assert second[1].calls == [("fail", 502)]
    assert third[1].calls == [("fail", 502)]


def test_who_has_begun_the_next_request_has_begun_that_before(make_crowd):
    """Its answer is there and was not read yet; the worker is not stuck."""
    world, (hand,), (second, _) = make_crowd()
    (link,) = world.gateway.links.values()
    hand.answer()
    hand.take()
    assert list(link.in_flight()) == [(second[0], RUNNING)]
    ((session, _, is_begun),) = link.times()
    assert (session, is_begun) == (second[0], True)


def test_a_request_that_took_too_long_is_cut_and_the_next_is_not(make_crowd):
    """The connection is closed, the one behind goes elsewhere."""
    world, (hand,), (second, third) = make_crowd()
    (link,) = world.gateway.links.values()
    link.cut(second[0], RequestFailure(504, "too long"))
    assert second[1].calls == [("fail", 504)]
    assert third[0].ahead is None
    assert world.pool.waiting() == [third[0]]
    assert hand.arrivals.next() is None, "it began one more"


def test_what_is_to_be_cut_was_answered_at_that_moment(make_crowd):
    """Then it is, and the next one runs."""
    world, (hand,), (second, third) = make_crowd()
    (link,) = world.gateway.links.values()
    hand.answer()
    hand.take()
    link.cut(second[0], RequestFailure(504, "too long"))
    assert second[1].calls == answered(second)
    hand.answer()
    world.reactor.settle()
    assert third[1].calls == answered(third)


# --- while one connection is settled, another one is at something ------------------


def test_large_bodies_of_two_workers_are_not_mixed(make_crowd):
    """The first is read while a part of the second is handed on."""
    world, (slow, other), asked = make_crowd(2)
    slows, others = of(slow, asked), of(other, asked)
    slow.answer(b"A" * 200_000)
    slow.take()
    other.answer(b"B" * 200_000)
    for _ in range(10):
        connection_of(world, other).doRead()
    assert others[1].whole() == (b"200 OK\r\n", b"B" * 200_000)
    assert slows[1].whole() == (b"200 OK\r\n", b"A" * 200_000)


def test_a_request_that_ends_at_once_is_followed_by_one_only(make_world):
    """It can't be sent: a NUL in its variables."""
    world = make_world(max_pool_size=1)
    first = world.ask()
    bad = world.ask(pairs=[b"REQUEST_METHOD", b"G\0ET", b"PATH_INFO", b"/"])
    rest = [world.ask() for _ in range(4)]
    hand = Hand(world)
    hand.take()
    hand.answer()
    world.reactor.settle()
    assert bad[1].calls == [("fail", 400)]
    assert sum(each[0].ahead is not None for each in rest) == 1
    for _ in rest:
        hand.take()
        hand.answer()
        world.reactor.settle()
    assert all(each[1].calls == answered(each) for each in (first, *rest))


class Failing(Recorder):
    """A responder that is broken."""

    def answer(self, head, body):
        raise RuntimeError("on purpose")


def test_a_responder_that_fails_does_not_keep_news_from_the_pool(
    make_crowd, logged_failures
):
    world, (hand,), (second, third) = make_crowd(max_queue_time=1.0)
    second[0].responder = Failing()
    late = world.ask()
    hand.answer()
    hand.take()
    world.reactor.advance(2)
    world.gateway.tell(TimePassed())
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert third[1].calls == [("fail", 502)]
    assert late[1].calls == [("fail", 504)]


def test_a_responder_that_fails_does_not_keep_others_from_their_answers(
    make_crowd, logged_failures
):
    world, (slow, other), asked = make_crowd(2)
    slows, others = of(slow, asked), of(other, asked)
    slows[0].responder = Failing()
    slow.answer()
    slow.take()
    other.answer()
    connection_of(world, other).doRead()
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert others[1].calls == answered(others)


def test_an_answer_behind_one_that_can_not_be_passed_on(make_crowd):
    """Whoever it is for gets it, though the connection is closed."""
    world, (hand,), (second, third) = make_crowd()
    second[0].responder = Failing()
    hand.answer()
    hand.take()
    hand.answer()
    connection = connection_of(world, hand)
    with pytest.raises(RuntimeError) as raised:
        connection.doRead()
    connection.connectionLost(Failure(raised.value))
    assert third[1].calls == answered(third)


def test_the_pool_wants_something_when_the_follower_begins(make_crowd):
    """What is done then may have everything settled that is ahead."""
    world, (hand,), (second, third) = make_crowd()
    end_session, perform = world.pool.end_session, world.gateway._perform

    def end(*args):
        ticket = end_session(*args)
        world.pool.outbox.append("wish")
        return ticket

    def fulfil(action):
        if action == "wish":
            world.gateway.tell(TimePassed())
        else:
            perform(action)

    world.pool.end_session, world.gateway._perform = end, fulfil
    hand.answer()
    world.reactor.settle()
    hand.take()
    hand.answer()
    world.reactor.settle()
    assert second[1].calls == answered(second)
    assert third[1].calls == answered(third)


def test_more_wait_when_what_is_to_be_cut_has_ended(make_crowd):
    """The next one runs, and one more is sent ahead of it: no misbehaviour."""
    world, (hand,), (second, third) = make_crowd()
    more = [world.ask() for _ in range(2)]
    (link,) = world.gateway.links.values()
    hand.answer()
    hand.take()
    link.cut(second[0], RequestFailure(504, "too long"))
    assert second[1].calls == answered(second)
    for _ in range(3):
        hand.answer()
        world.reactor.settle()
        if hand.has_request():
            hand.take()
    assert all(each[1].calls == answered(each) for each in (third, *more))


def test_another_one_does_not_lie_where_the_worker_is_about_to_take_one(make_crowd):
    """It would begin that before the one that comes by the connection."""
    world, (hand,), (second, third) = make_crowd()
    more = [world.ask() for _ in range(3)]

    looks = []

    def meanwhile():
        looks.append(1)
        if len(looks) == 2:  # there is something, and not on the connection
            # Had back, and then the worker gets it in the other way.
            world.gateway.tell(TimePassed())
            assert third[0].ahead is None
            world.reactor.settle()
            assert third[0].carrier is not None

    hand.answer()
    hand.take_while(meanwhile)
    assert hand.number == third[0].number
    was_ahead = []
    for _ in more:
        hand.answer()
        world.reactor.settle()
        was_ahead.append(any(each[0].ahead for each in more))
        hand.take()
    hand.answer()
    world.reactor.settle()
    assert was_ahead[0], "it rests for longer than it must"
    assert all(each[1].calls == answered(each) for each in (second, third, *more))
