"""A busy worker finds its next request ready, and nobody has to wait for that.

The pool, the gateway and the reading of requests in the worker are the real ones.
"""

from __future__ import annotations

import tempfile

import pytest

from passtwist.pool import DisableRequested, TimePassed
from passtwist.service.sessions.gateway import AHEAD_PATIENCE
from passtwist.wire.session import MAX_AHEAD, encode_body, encode_response_start

from .hands import Hand, answered, whole


def test_a_worker_goes_on_with_the_next_request_by_itself(make_crowd):
    """Before we have read its answer; and both answers are told apart."""
    world, (hand,), (second, third) = make_crowd()
    assert third[0].ahead is not None
    assert world.pool.waiting() == [third[0]]
    hand.answer()
    hand.take()
    assert hand.number == third[0].number
    assert second[1].calls == []
    hand.answer()
    world.reactor.settle()
    assert second[1].calls == answered(second)
    assert third[1].calls == answered(third)
    assert (third[0].attempts, third[0].worker_pid) == (1, hand.worker.pid)
    assert world.pool.waiting() == []
    assert world.states() == ["idle"]


def test_its_body_goes_with_it(make_world):
    world = make_world(max_pool_size=1)
    asked = [world.ask(body=b"order %d" % n) for n in range(4)]
    hand = Hand(world)
    bodies = []
    for _ in asked:
        bodies.append(hand.take())
        hand.answer()
        world.reactor.settle()
    assert bodies == [b"order 0", b"order 1", b"order 2", b"order 3"]
    assert all(each[1].calls == answered(each) for each in asked)


def test_a_streamed_response_is_followed_by_the_next_answer(make_crowd):
    """Both in one read, the first in pieces."""
    world, (hand,), (second, third) = make_crowd()
    hand.served.send(encode_response_start(b"200 OK\r\n") + encode_body(b"one "))
    hand.served.send(encode_body(b"two", last=True))
    hand.take()
    hand.answer()
    world.reactor.settle()
    assert second[1].whole() == (b"200 OK\r\n", b"one two")
    assert third[1].calls == answered(third)


def test_a_large_response_is_followed_by_the_next_answer(make_crowd):
    """The part behind the large frame is not lost."""
    world, (hand,), (second, third) = make_crowd()
    body = bytes(range(256)) * 600
    hand.answer(body)
    hand.take()
    hand.answer()
    world.reactor.settle()
    assert second[1].whole() == (b"200 OK\r\n", body)
    assert third[1].calls == answered(third)


def test_another_worker_that_is_free_gets_it(make_crowd):
    """The first one is slow; and does not find it any more."""
    world, (slow, other), (second, third, fourth) = make_crowd(2)
    waiting = next(each for each in (second, third, fourth) if each[0].ahead)
    other.answer()
    world.reactor.settle()
    assert waiting[0].ahead is None
    assert other.take() == b""
    assert other.number == waiting[0].number
    assert not slow.has_request()
    other.answer()
    slow.answer()
    world.reactor.settle()
    assert all(each[1].calls == answered(each) for each in (second, third, fourth))
    assert not slow.has_request()


def test_the_slow_worker_has_just_become_free_and_keeps_it(make_crowd):
    """It has taken the request, which we did not know."""
    world, (slow, other), asked = make_crowd(2)
    waiting = next(each for each in asked if each[0].ahead)
    slow.answer()
    slow.take()
    other.answer()
    # The other one's answer is read first.
    reader = next(
        one
        for one in world.reactor.readers
        if one in world.gateway.links[other.served.worker.pid - 4710]._all
    )
    reader.doRead()
    assert not other.has_request()
    assert waiting[0].carrier is not None
    slow.answer()
    world.reactor.settle()
    assert all(each[1].calls == answered(each) for each in asked)
    assert slow.begun.count(waiting[0].number) == 1
    assert sorted(world.states()) == ["idle", "idle"]


def test_who_waits_behind_a_slow_one_is_not_overtaken_for_long(make_crowd):
    """Another worker that goes on without a break takes it over soon."""
    world, (slow, quick), asked = make_crowd(2)
    waiting = next(each for each in asked if each[0].ahead)
    later = [world.ask() for _ in range(3)]
    quick.answer()
    world.reactor.settle()
    quick.take()
    assert quick.number == later[0][0].number  # that moment is not long
    assert waiting[0].ahead is not None
    world.reactor.advance(AHEAD_PATIENCE * 2)
    for _ in range(2):
        quick.answer()
        world.reactor.settle()
        quick.take()
    assert waiting[0].number in quick.begun
    assert slow.number


@pytest.mark.parametrize("size", [0, MAX_AHEAD])
def test_what_can_not_be_sent_ahead_waits_for_its_turn(make_world, size):
    """A body in a file, or a large one; nobody overtakes it."""
    world = make_world(max_pool_size=1)
    with tempfile.TemporaryFile() as file:
        file.write(b"filed")
        file.flush()
        fields = {"body_file": file.fileno(), "body_length": 5}
        if size:
            fields = {"body": b"x" * size}
        first, second = world.ask(), world.ask()
        third, fourth = world.ask(**fields), world.ask()
        hand = Hand(world)
        hand.take()
        hand.answer()
        world.reactor.settle()
        hand.take()
        assert third[0].ahead is None
        assert fourth[0].ahead is None
        hand.answer()
        world.reactor.settle()
        assert hand.take() == (b"x" * size or b"filed")
        assert hand.number == third[0].number
        assert fourth[0].ahead is not None
        for _ in range(2):
            hand.answer()
            world.reactor.settle()
            if hand.has_request():
                hand.take()
    for each in (first, second, third, fourth):
        assert each[1].calls == answered(each)


def test_a_worker_with_threads_is_sent_nothing_ahead(make_world):
    """It has several requests at a time anyway."""
    world = make_world(max_pool_size=1, concurrency=2)
    asked = [world.ask() for _ in range(5)]
    _, served = world.spawned(concurrency=2)
    served[0].read_request()
    served[0].send(whole(b"x"))
    world.reactor.settle()
    assert [each[0].ahead for each in asked] == [None] * 5


# --- whoever waits can leave, or be sent away --------------------------------------


def test_a_request_whose_client_has_left_is_not_begun(make_crowd):
    world, (hand,), (second, third) = make_crowd()
    third[0].abandon()
    assert world.pool.waiting() == []
    hand.answer()
    world.reactor.settle()
    assert not hand.has_request()
    assert second[1].calls == answered(second)
    assert third[1].calls == []


def test_its_client_leaves_when_it_was_taken(make_crowd):
    """Then the app has it, and what it answers is dropped."""
    world, (hand,), (second, third) = make_crowd()
    hand.answer()
    hand.take()
    third[0].abandon()
    assert second[1].calls == answered(second)
    assert world.states() == ["busy"]
    hand.answer()
    world.reactor.settle()
    assert third[1].calls == []
    assert world.states() == ["idle"]


def test_a_request_that_has_waited_too_long_is_not_begun(make_crowd):
    """Who was told so may try again, and must not be served twice."""
    world, (hand,), (second, third) = make_crowd(max_queue_time=1.0)
    world.reactor.advance(2)
    world.gateway.tell(TimePassed())
    assert third[1].calls == [("fail", 504)]
    hand.answer()
    world.reactor.settle()
    assert second[1].calls == answered(second)
    assert not hand.has_request()


def test_a_worker_that_is_disabled_begins_nothing_more(make_crowd):
    """What lay ready for it waits for others."""
    world, (hand, other), asked = make_crowd(2)
    waiting = next(each for each in asked if each[0].ahead)
    number = next(
        number
        for number, link in world.gateway.links.items()
        if link.worker is hand.worker
    )
    world.gateway.tell(DisableRequested(number))
    assert waiting[0].ahead is None
    hand.answer()
    world.reactor.settle()
    assert not hand.has_request()
    other.answer()
    world.reactor.settle()
    other.take()
    assert other.number == waiting[0].number


def test_nothing_lies_ready_behind_the_last_request_of_a_worker(make_world):
    """After so many requests another one is to take its place."""
    world = make_world(max_pool_size=2, max_instances=1, max_requests=3)
    asked = [world.ask() for _ in range(6)]
    hand = Hand(world)
    # The first is given when nobody is at work, so that nothing is sent ahead.
    for is_followed in (False, True, False):
        hand.take()
        assert any(each[0].ahead for each in asked) is is_followed
        assert world.app.spawns == []
        hand.answer()
        world.reactor.settle()
    another = Hand(world)
    another.take()
    hand.take()  # it went on until the other one was there
    hand.answer()
    world.reactor.settle()
    assert hand.arrivals.next() is None
    assert "terminate" in hand.worker.asked
    assert {hand.begun[-1], another.begun[-1]} == {
        each[0].number for each in asked[3:5]
    }


def test_the_client_is_slow_and_its_worker_has_to_wait(make_crowd):
    """Then nothing may lie behind that response."""
    world, (hand,), (second, third) = make_crowd()
    second[0].pause()
    assert third[0].ahead is None
    assert world.reactor.readers == []
    second[0].resume()
    hand.answer()
    world.reactor.settle()
    hand.take()
    hand.answer()
    world.reactor.settle()
    assert third[1].calls == answered(third)


def test_the_client_is_slow_when_the_worker_has_gone_on(make_crowd):
    """Its response is read to the end, for the sake of the one behind it."""
    world, (hand,), (second, third) = make_crowd()
    hand.answer()
    hand.take()
    hand.answer()
    second[0].pause()
    world.reactor.settle()
    assert second[1].calls == answered(second)
    assert third[1].calls == answered(third)
