"""What is done to the loaded heap before the fork, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

# Every second of so many objects is freed; what is made next goes into the holes,
# unless they are filled.
HOLES = """
import sys
from passtwist.spawnserver import holes

SIZES = range(48, 513, 16)

def make(count):
    return [bytes(size - sys.getsizeof(b"")) for size in SIZES for _ in range(count)]

kept = make(2000)
freed = {id(each) for each in kept[::2]}
del kept[::2]
if sys.argv[1] == "fill":
    holes.fill()
later = make(50)
new = {id(each) for each in later}
print(len(new & freed) > len(new) // 2, len(new & freed) > 0)
"""

# A cycle that is garbage, and old when it becomes so, beside a great heap.
GARBAGE = """
import gc, weakref
from passtwist.spawnserver import freezing

class Node:
    pass

gc.disable()
heap = [[] for _ in range(600_000)]
freezing.freeze("gc")
gc.enable()
node = Node()
node.itself, seen = node, weakref.ref(node)
gc.collect(1)
del node
new = []
while len(new) < 100_000:
    new.append([])
print(gc.get_freeze_count() >= 600_000, seen() is None)
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_once_holes_are_filled_nothing_new_lies_between_what_was_loaded():
    assert run(HOLES, "leave") == "True True\n"
    assert run(HOLES, "fill") == "False False\n"


def test_what_is_frozen_does_not_put_off_the_collections_of_a_worker():
    """CPython collects all when a quarter as much is new as it last looked at."""
    assert run(GARBAGE) == "True True\n"
