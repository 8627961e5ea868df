"""Requests sent ahead, in whatever order things happen.

The pool, the gateway and the reading of requests in the worker are the real ones.
"""

from __future__ import annotations

import random

import pytest

from passtwist.api.failures import RequestFailure
from passtwist.pool import TimePassed
from passtwist.wire.session import MAX_AHEAD

from .hands import Hand

STEPS = 400


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
            hand.take_while(meanwhile, begin=chance.random() < 0.7)

    def meanwhile():
        """We and the clients go on while the worker does not."""
        while len(steps) < STEPS and chance.random() < 0.4:
            ours = [world.reactor.turn, ask, pass_time, wait_or_go_on, leave]
            chance.choices(ours, [6, 2, 2, 1, 0.5])[0]()

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

    begun, steps = [], []
    while len(steps) < STEPS:
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
        steps.append(step)
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
