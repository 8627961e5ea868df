"""What a test can leave behind, seen before and after it.

Runs in: test processes.

A snapshot costs two or three listings of ``/proc`` (well under a millisecond),
so that every test can afford one, sans-I/O tests too.  Waiting, collecting
garbage and turning the reactor happen only when something seems left.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Snapshot:
    """What existed at one moment.

    :ivar descriptors: number to what it refers to, as ``/proc`` names it.
    :ivar children: pid to name; a child that nobody reaped is one too.
    :ivar selectables: readers and writers of the reactor, its own waker
        excluded.
    :ivar delayed_calls: what the reactor is to call later.
    """

    descriptors: dict[int, str] = field(default_factory=dict)
    children: dict[int, str] = field(default_factory=dict)
    selectables: tuple[Any, ...] = ()  # whatever the reactor was given
    delayed_calls: tuple[Any, ...] = ()  # twisted's DelayedCall is untyped here

    @classmethod
    def take(cls) -> Snapshot:
        """Look at this process now.

        A reactor is looked at when one is installed; none is installed here.
        """
        reactor: Any = sys.modules.get("twisted.internet.reactor")
        if reactor is None:
            return cls(dict(open_descriptors()), dict(child_processes()))
        internal = reactor._internalReaders
        selectables = {
            id(each): each
            for each in (*reactor.getReaders(), *reactor.getWriters())
            if each not in internal
        }
        return cls(
            dict(open_descriptors()),
            dict(child_processes()),
            tuple(selectables.values()),
            tuple(reactor.getDelayedCalls()),
        )

    def since(self, before: Snapshot) -> Leftovers:
        """What is here and was not *before*."""
        known = {id(each) for each in before.selectables}
        old_calls = {id(each) for each in before.delayed_calls}
        # A timer that outlives tests (of a server in a module's fixture, say)
        # re-arms itself with a new call of the same function.
        recurring = [call.func for call in before.delayed_calls]
        return Leftovers(
            descriptors={
                number: target
                for number, target in self.descriptors.items()
                if before.descriptors.get(number) != target
            },
            children={
                pid: name
                for pid, name in self.children.items()
                if pid not in before.children
            },
            selectables=tuple(
                each for each in self.selectables if id(each) not in known
            ),
            delayed_calls=tuple(
                call
                for call in self.delayed_calls
                if id(call) not in old_calls and call.func not in recurring
            ),
        )


@dataclass(frozen=True)
class Leftovers(Snapshot):
    """What a test left behind; empty when it cleaned up."""

    def __bool__(self) -> bool:
        return bool(
            self.descriptors or self.children or self.selectables or self.delayed_calls
        )

    def describe(self) -> list[str]:
        """One line for each thing that was left."""
        return [
            *(f"delayed call: {call}" for call in self.delayed_calls),
            *(f"selectable: {each!r}" for each in self.selectables),
            *(f"child process: {pid} ({name})" for pid, name in self.children.items()),
            *(
                f"open descriptor: {number} -> {target}"
                for number, target in self.descriptors.items()
            ),
        ]

    def remove(self) -> None:
        """Take from the reactor what was left there.

        So that the next test is not blamed for it.  Processes and
        descriptors stay: closing what belongs to somebody does more harm.
        """
        reactor: Any = sys.modules.get("twisted.internet.reactor")
        for call in self.delayed_calls:
            if call.active():
                call.cancel()
        for each in self.selectables:
            reactor.removeReader(each)
            reactor.removeWriter(each)


def open_descriptors() -> Iterator[tuple[int, str]]:
    """This process's descriptors, with what each refers to."""
    for name in os.listdir("/proc/self/fd"):
        try:
            yield int(name), os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            continue  # the listing's own descriptor, closed by now


def child_processes() -> Iterator[tuple[int, str]]:
    """This process's children, those forked by its other threads too."""
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                pids = [int(pid) for pid in file.read().split()]
        except FileNotFoundError:
            continue  # the thread ended meanwhile
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    yield pid, file.read().strip()
            except FileNotFoundError:
                continue
