"""A target that does not take lines: kept, then dropped by lines, then counted."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passtwist.api.log_target import KEPT, LogTarget


class Pipe:
    """A pipe of 64 KiB, and a target that writes to it."""

    def __init__(self):
        self.told = []
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.target = LogTarget.on(writer, self.told.append)

    def read(self):
        """All that comes."""
        data = b""
        while True:
            try:
                piece = os.read(self.reader, 1 << 20)
            except BlockingIOError:
                if not self.target.waiting:
                    return data
                self.target.flush()
            else:
                data += piece

    def close(self):
        self.target.close()
        os.close(self.reader)


@pytest.fixture
def pipe():
    pipe = Pipe()
    yield pipe
    pipe.close()


@settings(max_examples=12, deadline=None)
@given(
    length=st.integers(1, 9000),
    piece=st.integers(1000, 200_000),
    total=st.integers(KEPT, 3 * KEPT),
)
def test_only_whole_lines_are_lost_however_they_come(length, piece, total):
    """In pieces that begin and end anywhere, to a pipe that nobody reads at first."""
    pipe = Pipe()
    count = total // (length + 1)
    data = (b"x" * length + b"\n") * count
    for begin in range(0, len(data), piece):
        pipe.target.write(data[begin : begin + piece])
    lines = pipe.read().splitlines()
    assert set(lines) <= {b"x" * length}
    assert len(lines) + pipe.target.dropped == count
    pipe.close()


def test_what_has_no_end_does_not_fill_our_memory(pipe):
    """It counts as a line, and what comes afterwards is one again."""
    for _ in range(40):
        pipe.target.write(b"x" * (KEPT // 4))
    pipe.target.write(b"\nnext\n")
    assert pipe.read().splitlines()[-1] == b"next"
    assert pipe.target.dropped >= 9
    assert pipe.told[0] == "is not read fast enough, and lines are dropped"
