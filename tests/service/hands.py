"""Workers that a test moves step by step, with the real reading of requests.

Runs in: tests.
"""

from __future__ import annotations

import select
import socket

from passtwist.model import ExitStatus
from passtwist.wire.session import encode_body, encode_response_start
from passtwist.worker.arrivals import Arrivals
from passtwist.worker.serving import SEND_BUFFER

KILLED = ExitStatus(signal=9)


def whole(body):
    """A response in one piece."""
    return encode_response_start(b"200 OK\r\n") + encode_body(body, last=True)


def answered(asked):
    """What the responder of that request is told when all is well."""
    return [("answer", b"200 OK\r\n", b"%d" % asked[0].number)]


def connection_of(world, hand):
    links = world.gateway.links.values()
    (link,) = (each for each in links if each.worker is hand.worker)
    (connection,) = link._all
    return connection


def of(hand, asked):
    """The request that the worker is at."""
    return next(each for each in asked if each[0].number == hand.number)


class NothingThere(Exception):
    """A worker would wait now."""


class Interrupted:
    """A poll after which something happens before who asked goes on."""

    def __init__(self, poll, meanwhile):
        self._poll = poll
        self._meanwhile = meanwhile

    def poll(self, timeout=None):
        found = self._poll.poll(0)
        if not found and timeout is None:
            raise NothingThere
        self._meanwhile()
        return found


class Hand:
    """One worker with one connection.

    :ivar number: of the request that it is at; 0 for none.
    :ivar begun: numbers of all that it has begun.
    """

    def __init__(self, world, **fields):
        self.world = world
        self.worker, (self.served,) = world.spawned(**fields)
        # As a worker does it.
        self.served.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.arrivals = Arrivals(self.served.socket)
        self.number = 0
        self.begun = []
        world.hands.append(self)

    def has_request(self):
        """Does it find one, here or there?"""
        ends = [self.served.socket]
        if self.arrivals._ahead is not None:
            ends.append(self.arrivals._ahead)
        readable, _, _ = select.select(ends, [], [], 0)
        return bool(readable)

    def take(self, begin=True):
        """Read the next request and, with *begin*, call the app; its body."""
        assert self.has_request(), "there is no request"
        request = self.arrivals.next()
        self.number, _, body = request
        if begin:
            self.begin()
        with body:
            return body.read()

    def take_while(self, meanwhile, **how):
        """`take`, and *meanwhile* happens after each look for something.

        What the worker has seen may be gone then, and something else be there.
        """
        arrivals, looks = self.arrivals, {}
        for name in ("_poll", "_connection"):
            looks[name] = getattr(arrivals, name)
            setattr(arrivals, name, Interrupted(looks[name], meanwhile))
        # The way is opened and closed by what was there.
        for name in ("register", "unregister"):
            setattr(arrivals._poll, name, getattr(looks["_poll"], name))
        try:
            return self.take(**how)
        except NothingThere:
            return None
        finally:
            vars(arrivals).update(looks)

    def begin(self):
        self.served.number = self.number
        self.served.note_begun()
        self.begun.append(self.number)

    def answer(self, data=None):
        """Answer, all at once; the controller has not read it yet."""
        body = b"%d" % self.number if data is None else data
        self.served.send(whole(body))
        self.number = 0

    def close(self):
        """Close what the worker has opened."""
        self.arrivals.close()

    def die(self, process_first=False):
        self.close()
        if not process_first:
            self.worker.close()
            self.world.reactor.settle()
        self.worker.exit(KILLED)
        self.world.reactor.settle()


def crowd(world, workers):
    """As many workers as *world* may have, each at a request.

    One more request than that waits, sent ahead to the first worker: its second.

    :returns: the world, the workers, and what is not answered yet.
    """
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
    return world, hands, asked
