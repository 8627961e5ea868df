"""A busy worker finds its next request ready, and nobody has to wait for that.

The pool, the gateway and the reading of requests in the worker are the real ones.
"""

from __future__ import annotations

import random
import tempfile

import pytest
from twisted.python.failure import Failure

from passtwist.api.failures import RequestFailure
from passtwist.pool import DisableRequested, TimePassed
from passtwist.service.gateway import AHEAD_PATIENCE
from passtwist.service.session import RUNNING
from passtwist.wire.session import MAX_AHEAD, encode_body, encode_response_start

from .conftest import Recorder
from .hands import Hand, whole

both_orders = pytest.mark.parametrize("process_first", [False, True])


@pytest.fixture
def make_crowd(make_world):
    """A world with as many workers as it may have, each at a request.

    One more request than that waits, sent ahead to the first worker: its second.
    """

    def make(workers=1, **limits):
        world = make_world(max_pool_size=workers, **limits)
        asked = [world.ask() for _ in range(workers + 2)]
        hands = [Hand(world) for _ in range(workers)]
        for hand in hands:
            hand.take()
        hands[0].answer()
        world.reactor.settle()
        first = next(each for each in asked if each[1].calls)
        assert first[1].calls == answered(first)
        asked.remove(first)
        hands[0].take()
        world.asked = asked
        return world, hands, asked

    return make


def answered(asked):
    """What the responder of that request is told when all is well."""
    return [("answer", b"200 OK\r\n", b"%d" % asked[0].number)]


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
    hand.answer_tail = encode_body(b"two", last=True)
    hand.served.send(hand.answer_tail)
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


def test_a_worker_that_leaves_after_so_many_requests_gets_no_more(make_world):
    """Its limit holds to the request."""
    world = make_world(max_pool_size=1, max_requests=3)
    asked = [world.ask() for _ in range(6)]
    hand = Hand(world)
    hand.take()
    hand.answer()
    world.reactor.settle()
    hand.take()
    for each in asked[2:]:
        assert each[0].ahead is None or each is asked[2]


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


# --- workers die and misbehave ------------------------------------------------------


@both_orders
def test_died_at_the_request_before(make_crowd, process_first):
    """That one is lost, the one behind it was not begun."""
    world, (hand,), (second, third) = make_crowd()
    hand.die(process_first)
    assert second[1].calls == [("fail", 502)]
    another = Hand(world)
    another.take()
    assert another.number == third[0].number
    another.answer()
    world.reactor.settle()
    assert third[1].calls == answered(third)


@both_orders
def test_died_when_it_had_taken_it_and_not_begun(make_crowd, process_first):
    """The answer before is there, and the request goes to another worker."""
    world, (hand,), (second, third) = make_crowd()
    hand.answer()
    hand.take(begin=False)
    hand.die(process_first)
    assert second[1].calls == answered(second)
    assert third[1].calls == []
    another = Hand(world)
    another.take()
    assert another.number == third[0].number
    another.answer()
    world.reactor.settle()
    assert third[1].calls == answered(third)


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
    assert not hand.arrivals._ahead or not hand.arrivals._ahead.fileno() < 0


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


def connection_of(world, hand):
    links = world.gateway.links.values()
    (link,) = (each for each in links if each.worker is hand.worker)
    (connection,) = link._all
    return connection


def of(hand, asked):
    """The request that the worker is at."""
    return next(each for each in asked if each[0].number == hand.number)


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
    world, (hand,), (second, third) = make_crowd()
    second[0].responder = Failing()
    hand.answer()
    hand.take()
    (number,) = world.gateway.links
    world.gateway.tell(DisableRequested(number))
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert world.states() != ["busy"]
    assert third[1].calls == [("fail", 502)]


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


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_each_is_begun_once_and_told_once(make_world, seed):
    """Chance moves clients, workers, time and us, one small step at a time."""
    chance = random.Random(seed)
    world = make_world(
        max_pool_size=3, max_queue_time=chance.choice([0.0, 0.05]), min_instances=1
    )
    asked, gone = [], set()

    def ask():
        asked.append(world.ask(body=b"x" * chance.choice([0, 0, 10, MAX_AHEAD])))

    def leave():
        session, _ = chance.choice(asked)
        if not session.ended:
            gone.add(session.number)
            session.abandon()

    def move():
        hand = chance.choice(world.hands)
        if hand.number and hand.number not in hand.begun[-1:]:
            hand.begin()
        elif hand.number:
            hand.answer()
        elif hand.has_request() and chance.random() < 0.9:
            hand.take(begin=chance.random() < 0.7)

    def die():
        hand = chance.choice(world.hands)
        world.hands.remove(hand)
        hand.die(chance.random() < 0.5)

    def spawn():
        if world.app.spawns:
            Hand(world)

    def wait_or_go_on():
        session, _ = chance.choice(asked)
        if chance.random() < 0.5:
            session.pause()
        else:
            session.resume()

    def cut():
        """A request has taken too long: it is answered for, and its worker ended."""
        hand = chance.choice(world.hands)
        links = world.gateway.links.values()
        (link,) = (each for each in links if each.worker is hand.worker)
        link.condemn()
        for session in tuple(link.running.values()):
            link.cut(session, RequestFailure(599, "cut"))
        world.hands.remove(hand)
        hand.die(process_first=True)

    def pass_time():
        world.reactor.advance(chance.choice([0.001, 0.003, 0.03]))
        world.gateway.tell(TimePassed())

    begun = []
    for _ in range(400):
        step = chance.choices(
            [
                *(ask, leave, move, die, spawn, pass_time),
                *(world.reactor.turn, wait_or_go_on, cut),
            ],
            [8, 1, 20, 0.3, 2, 1, 14, 2, 0.2],
        )[0]
        if step in (move, die, cut) and not world.hands:
            step = spawn
        if step in (leave, wait_or_go_on) and not asked:
            step = ask
        before = list(world.hands)
        step()
        begun += [n for hand in before if hand not in world.hands for n in hand.begun]
    for session, _ in asked:
        session.resume()
    for _ in range(4000):
        world.reactor.settle()
        if all(recorder.calls or s.number in gone for s, recorder in asked):
            break
        spawn()
        if world.hands:
            move()
        else:
            pass_time()
    begun += [number for hand in world.hands for number in hand.begun]
    assert len(begun) == len(set(begun)), "an app was called twice for a request"
    for session, recorder in asked:
        ends = [
            call for call in recorder.calls if call[0] in ("answer", "finish", "fail")
        ]
        assert len(ends) == (session.number not in gone) or len(ends) == 1
        for kind, *values in recorder.calls:
            if kind == "answer":
                assert values[1] == b"%d" % session.number, "somebody else's answer"
            if kind == "fail" and values[0] not in (502, 599):
                assert session.number not in begun, "it was told that it was not begun"
    assert world.pool.waiting() == []
