"""Between our standard streams and whoever may not read them."""

from __future__ import annotations

import os
import select
import threading

import pytest

from passtwist.service.stream_relay import StreamRelay, may_block
from passtwist.testing.waiting import wait_until

LINE = b"x" * 99 + b"\n"


class Stream:
    """A pipe in the place of standard output, and a relay for it."""

    def __init__(self):
        self.reader, self.stream = os.pipe()
        self.told = []
        self.relay = StreamRelay(self.told.append, (self.stream,))
        self.relay.start()

    def print(self, lines: int) -> None:
        """As Twisted's log does: it waits until all is written."""
        for _ in range(lines):
            os.write(self.stream, LINE)

    def read(self) -> bytes:
        """All that comes, until nothing does although nothing waits either."""
        data = b""
        while True:
            if select.select([self.reader], [], [], 0.05)[0]:
                data += os.read(self.reader, 1 << 20)
            elif not any(lane.target.waiting for lane in self.relay._lanes):
                return data

    def close(self):
        self.relay.stop()
        wait_until(
            lambda: not [t for t in threading.enumerate() if t.name == "passtwist-log"],
            "the thread to end",
        )
        for lane in self.relay._lanes:
            lane.target.close()
        os.close(self.stream)
        if self.reader >= 0:
            os.close(self.reader)


@pytest.fixture
def stream():
    stream = Stream()
    yield stream
    stream.close()


def test_what_is_read_comes_through(stream):
    """In order, and nothing is said of it."""
    stream.print(3)
    assert stream.read() == LINE * 3
    assert (stream.told, stream.relay.dropped) == ([], 0)


def test_who_does_not_read_stops_nobody(stream):
    """What is too much is dropped by lines, counted, and told; then it goes on."""
    stream.print(50_000)
    wait_until(lambda: stream.told, "the relay to notice")
    lines = stream.read().splitlines(keepends=True)
    stream.print(1)
    assert stream.read() == LINE
    assert set(lines) == {LINE}
    assert len(lines) + stream.relay.dropped == 50_000
    first, *_, last = stream.told
    assert first == (
        f"descriptor {stream.stream} is not read fast enough, and lines are dropped"
    )
    assert " takes lines again; " in last


def test_a_reader_that_left_stops_nobody(stream):
    """All is dropped, and waited for no more."""
    os.close(stream.reader)
    stream.reader = -1
    stream.print(5_000)
    wait_until(lambda: stream.relay.dropped == 5_000, "all lines to be dropped")
    assert stream.told == [f"descriptor {stream.stream} can't be written: Broken pipe"]


def test_afterwards_the_stream_is_what_it_was(stream):
    """With what was written before."""
    stream.print(1)
    stream.relay.stop()
    os.write(stream.stream, b"directly\n")
    assert stream.read() == LINE + b"directly\n"


def test_nothing_is_put_before_what_can_not_block(tmp_path):
    """A file, /dev/null, and what is closed."""
    with open(tmp_path / "file", "wb") as file, open(os.devnull, "wb") as null:
        assert not may_block(file.fileno())
        assert not may_block(null.fileno())
        relay = StreamRelay(lambda text: None, (file.fileno(), null.fileno()))
        relay.start()
        assert relay._lanes == []
        relay.stop()
    assert not may_block(1 << 20)


@pytest.mark.parametrize("path", ["/dev/full", "/dev/tty", "/dev/ptmx"])
def test_devices_may_block(path):
    """A terminal, for one, that was stopped."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        return  # without a terminal there is none
    assert may_block(descriptor)
    os.close(descriptor)
