"""What every layer of the spawn server does: take spawns and pass them on.

Runs in: the manager and spawners.  One loop, which never waits for anybody.

A layer that the route names is found by its key or started; the spawn goes on
to it with its descriptors, of which no copy stays.  Where the route ends, the
worker is made.  In a forked child the loop unwinds and returns what the child
has to do, so that no frame of the parent stays below an app's code.
"""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections import deque
from typing import Callable, Deque, Dict, Optional, Tuple

from passtwist.errors import BadFrame
from passtwist.model import APP, FRAMEWORK, SYSTEM, SpawnRequest
from passtwist.spawnserver.blame import blame
from passtwist.spawnserver.channel import Arrival, Channel, close_all
from passtwist.spawnserver.children import ChildLayer, Children
from passtwist.spawnserver.keys import key_of
from passtwist.wire.control import (
    Message,
    SpawnRequestReader,
    spawn_request_to_body,
)
from passtwist.wire.journey import FailedRecord
from passtwist.worker.journal import Journal

# Descriptors that every process has for itself.
OWN = ("lifeline", "output", "stacks")

# What a process does next; answers what it does after that, None to end.
Task = Callable[[], "Optional[Task]"]


class Layer:
    """One layer.

    :param above: channel to the layer above; at its end this one ends.
    :param lifeline: this process's own, armed.
    :param code: RUNTIME_DIR/code.
    """

    who = ""
    # The layers that this one starts; where a route begins with another one,
    # somebody is confused.
    starts: Tuple[str, ...] = (FRAMEWORK, APP)

    def __init__(self, above: Channel, lifeline: int, code: str) -> None:
        self.above = above
        self.lifeline = lifeline
        self.code = code
        self.children = Children()
        self.successor: Optional[Task] = None
        self._inbox: Deque[Arrival] = deque()
        self._requests = SpawnRequestReader()
        self._is_running = True
        # poll() needs no descriptor that a forked child would share.
        self._selector = selectors.PollSelector()
        self._selector.register(above, selectors.EVENT_READ, self.hear_from_above)

    # --- what the layers do differently ---------------------------------------

    def start_layer(
        self,
        kind: str,
        request: SpawnRequest,
        journal: Journal,
        descriptors: Dict[str, int],
    ) -> Optional[ChildLayer]:
        """Start a layer below with the descriptors of OWN.

        None in the process that has become that layer.

        :raises OSError: the operating system refused.
        """
        raise AssertionError("%s starts no layer" % self.who)

    def make_worker(
        self, request: SpawnRequest, journal: Journal, descriptors: Dict[str, int]
    ) -> None:
        """Make the worker.

        :raises OSError: the operating system refused.
        """
        raise AssertionError("%s makes no workers" % self.who)

    def refusal(
        self, request: SpawnRequest, journal: Journal
    ) -> Optional[FailedRecord]:
        """Why this layer can't take *request*; asked for each spawn."""
        return None

    # --- the loop -------------------------------------------------------------

    def run(self) -> Optional[Task]:
        """Work until the layer above is gone.

        :returns: what to do next, in a process forked meanwhile; else None.
        """
        while self._is_running and not self.has_become():
            self._watch_writing()
            for key, _ in self._selector.select(self._timeout()):
                key.data()
                if self.has_become():
                    return self.successor
            self.time_passed()
        return self.successor

    def next_time(self) -> Optional[float]:
        """CLOCK_MONOTONIC at which time alone changes something, or None."""
        return self.children.next_time()

    def time_passed(self) -> None:
        """Do what has become due."""
        self.children.kill_overdue()
        self._retire_old()

    def _timeout(self) -> Optional[float]:
        at = self.next_time()
        return None if at is None else max(0.0, at - time.monotonic())

    def has_become(self) -> bool:
        """This is a forked child, and no layer of the parent's kind any more."""
        return self.successor is not None

    def stop(self) -> None:
        """End the loop."""
        self._is_running = False

    def become(self, task: Task) -> None:
        """In a forked child: close what is the parent's, then do *task*."""
        self.successor = task
        self.above.close()
        for _, descriptors in self._inbox:
            close_all(descriptors.values())
        self._inbox.clear()
        for child in self.children:
            child.close()
        self.children = Children()
        os.close(self.lifeline)

    def _watch_writing(self) -> None:
        for channel in (self.above, *(child.channel for child in self.children)):
            try:
                key = self._selector.get_key(channel)
            except (KeyError, ValueError):
                continue  # not listened to any more, or closed
            wanted = selectors.EVENT_READ
            if channel.wants_write:
                wanted |= selectors.EVENT_WRITE
            if wanted != key.events:
                self._selector.modify(channel, wanted, key.data)

    def hear_from_above(self) -> bool:
        """Take what has come, without waiting; False when nothing had."""
        self.above.flush()
        arrivals = self.above.receive()
        if arrivals is None:
            self.stop()
            return False
        self._inbox.extend(arrivals)
        while self._inbox and not self.has_become():
            message, descriptors = self._inbox.popleft()
            self._take(message, descriptors)
        return bool(arrivals)

    def gather(self) -> None:
        """Take what has come, to be worked on after the present message."""
        while True:
            arrivals = self.above.receive()
            if not arrivals:
                return
            self._inbox.extend(arrivals)

    def _take(self, message: Message, descriptors: Dict[str, int]) -> None:
        if message.kind == "spawn":
            self._spawn(message, descriptors)
            return
        close_all(descriptors.values())
        if message.kind == "retire":
            self._retire(message)
        else:
            self.log("unknown message %r" % message.kind)

    # --- spawns ---------------------------------------------------------------

    def _spawn(self, message: Message, descriptors: Dict[str, int]) -> None:
        try:
            request = self._requests.read(message.body)
            journal = Journal(self.who, descriptors.pop("handshake"))
        except (BadFrame, KeyError, OSError) as error:
            self.log("a spawn that can't be read: %r" % error)
            close_all(descriptors.values())
            return
        try:
            refused = self.refusal(request, journal)
            if refused is not None:
                journal.fail(refused)
            elif not journal.is_abandoned:
                self._pass_on(request, journal, descriptors)
        except Exception as error:  # noqa: BLE001 - answered
            # The spawn fails, the layer lives.
            journal.fail(
                blame(error, request.app.name, self.who, journal.step, self.code)
            )
        finally:
            if not self.has_become():
                journal.close()
                close_all(descriptors.values())

    def _pass_on(
        self, request: SpawnRequest, journal: Journal, descriptors: Dict[str, int]
    ) -> None:
        if not request.route:
            self.make_worker(request, journal, descriptors)
            return
        kind = request.route[0]
        if kind not in self.starts:
            raise AssertionError("%s starts no %s layer" % (self.who, kind))
        with journal.doing("find_" + kind + "_spawner"):
            own = {name: descriptors.pop(kind + "." + name) for name in OWN}
            try:
                child = self._find_or_start(kind, request, journal, own)
            finally:
                if not self.has_become():
                    close_all(own.values())
        if child is None:
            close_all(descriptors.values())  # they come to us over the channel
        else:
            self._forward(child, request, journal, descriptors)

    def _find_or_start(
        self, kind: str, request: SpawnRequest, journal: Journal, own: Dict[str, int]
    ) -> Optional[ChildLayer]:
        key = key_of(kind, request)
        child = self.children.find(key)
        if child is not None and child.channel.is_abandoned:
            # Its end is still to be heard of.
            self._out_of_service(child)
            child = None
        if child is not None:
            child.limit_age(request.app.spawner_max_age)
            self._retire_old()
            child = self.children.find(key)
        if child is None:
            child = self.start_layer(kind, request, journal, own)
            if child is not None:
                child.limit_age(request.app.spawner_max_age)
                self.children.add(key, child)
                self._watch(child)
        return child

    def _forward(
        self,
        child: ChildLayer,
        request: SpawnRequest,
        journal: Journal,
        descriptors: Dict[str, int],
    ) -> None:
        if child.channel.is_full:
            journal.fail(
                FailedRecord(
                    self.who,
                    os.getpid(),
                    "find_%s_spawner" % child.kind,
                    SYSTEM,
                    "app %s: its %s spawner %d takes no requests"
                    % (request.app.name, child.kind, child.pid),
                )
            )
            return
        body = spawn_request_to_body(request)
        body["route"] = request.route[1:]
        passed = dict(descriptors, handshake=journal.detach())
        descriptors.clear()
        child.channel.send("spawn", body, passed)

    # --- layers below ---------------------------------------------------------

    def _watch(self, child: ChildLayer) -> None:
        read = selectors.EVENT_READ
        self._selector.register(child.channel, read, lambda: self._heard_from(child))
        self._selector.register(child.pidfd, read, lambda: self._ended(child))

    def _heard_from(self, child: ChildLayer) -> None:
        if child.channel.fileno() < 0:
            return  # closed by another event of the same turn
        child.channel.flush()
        arrivals = child.channel.receive()
        if arrivals is None:
            # It is ending, or it is of no use any more.
            self._out_of_service(child)
            child.kill()
            return
        for message, descriptors in arrivals:
            close_all(descriptors.values())
            # From below an app comes nothing: what runs there is its user's.
            if message.kind == "spawner_exited" and child.kind == FRAMEWORK:
                self.above.send(message.kind, message.body)

    def _ended(self, child: ChildLayer) -> None:
        status = child.reap()
        if status is None:
            return
        self._selector.unregister(child.pidfd)
        try:
            self._selector.unregister(child.channel)
        except (KeyError, ValueError):
            pass  # its end was seen before, or it was retired
        child.close()
        self.children.forget(child)
        self.above.send(
            "spawner_exited",
            {
                "kind": child.kind,
                "pid": child.pid,
                "app": child.app,
                "code": status.code,
                "signal": status.signal,
            },
        )

    def _retire_old(self) -> None:
        for child in self.children.retire_old():
            age = time.monotonic() - child.started_at
            whose = " of " + child.app if child.app else ""
            self.log(
                "%s spawner %d%s is %.0f s old; the next spawn makes another"
                % (child.kind, child.pid, whose, age)
            )
            self._stop_listening(child)

    def _out_of_service(self, child: ChildLayer) -> None:
        """The next spawn goes to another, even before this one is reaped."""
        self.children.retire(lambda one: one is child)
        self._stop_listening(child)

    def _stop_listening(self, child: ChildLayer) -> None:
        self._selector.unregister(child.channel)
        child.channel.close()

    def _retire(self, message: Message) -> None:
        app = message.body.get("app")
        # Only the spawners of generations before and from these, if they are given.
        below, since = message.body.get("below"), message.body.get("since")

        def is_meant(child: ChildLayer) -> bool:
            return (
                child.kind == APP
                and child.app == app
                and (not isinstance(below, int) or child.generation < below)
                and (not isinstance(since, int) or child.generation >= since)
            )

        for child in self.children.retire(is_meant):
            self._stop_listening(child)
        for child in self.children:
            if child.kind == FRAMEWORK:
                child.channel.send("retire", message.body)

    def log(self, text: str) -> None:
        """One line to this process's stderr, a pipe to the log."""
        sys.stderr.write("passtwist: %s: %s\n" % (self.who, text))
        sys.stderr.flush()
