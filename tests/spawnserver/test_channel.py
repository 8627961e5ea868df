"""The control channel: order, descriptors, and nobody who waits."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passtwist.model import APP, SYSTEM, WORKER
from passtwist.spawnserver.channel import MAX_QUEUED, Channel
from passtwist.wire.control import MAX_DESCRIPTORS, encode_message
from tests.spawnserver.driver import make_app


@pytest.fixture
def ends():
    """Both ends of one."""
    one, two = (Channel(end) for end in socket.socketpair())
    yield one, two
    one.close()
    two.close()


def pipe_ends(count):
    """Read ends whose pipes hold their own number."""
    found = {}
    for number in range(count):
        read, write = os.pipe()
        os.write(write, b"%d" % number)
        os.close(write)
        found[str(number)] = read
    return found


def exchange(one, two):
    """Everything that *one* has queued, as *two* receives it."""
    found = []
    while True:
        one.flush()
        arrivals = two.receive()
        assert arrivals is not None
        if not arrivals and not one.wants_write:
            return found
        for message, descriptors in arrivals:
            contents = {}
            for name, descriptor in descriptors.items():
                contents[name] = os.read(descriptor, 10).decode()
                os.close(descriptor)
            found.append((message.kind, len(message.body.get("text", "")), contents))


@settings(max_examples=30, deadline=None)
@given(
    messages=st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 5)), max_size=6)
)
def test_messages_arrive_in_order_each_with_its_own_descriptors(messages):
    """Also those that are larger than a socket's buffer."""
    one, two = (Channel(end) for end in socket.socketpair())
    try:
        for size, count in messages:
            one.send("k", {"text": "x" * size}, pipe_ends(count))
        names = [{str(n): str(n) for n in range(count)} for _, count in messages]
        wanted = [
            ("k", size, each) for (size, _), each in zip(messages, names, strict=True)
        ]
        assert exchange(one, two) == wanted
    finally:
        one.close()
        two.close()


def test_descriptors_are_closed_with_what_was_not_sent(ends):
    """The leftovers check of every test looks for them, too."""
    one, _ = ends
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        one.send("k", {"text": "x" * 400_000}, pipe_ends(3))
    assert len(os.listdir("/proc/self/fd")) > before
    one.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_the_end_of_the_other_side_is_seen(ends):
    one, two = ends
    one.close()
    assert two.receive() is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        encode_message("spawn", {}, ["missing"]),
        b"\xff" * 100,
    ],
)
def test_nonsense_is_the_end_of_a_channel(data):
    """There is no telling where the next message would begin."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs)
    with ours:
        ours.sendall(data)
        assert channel.receive() is None
    channel.close()


def test_more_descriptors_than_allowed_end_a_channel_and_are_closed():
    """They are cut off by the kernel: what is left belongs to nothing."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs)
    with ours:
        before = len(os.listdir("/proc/self/fd"))
        socket.send_fds(ours, [b"x"], [ours.fileno()] * (MAX_DESCRIPTORS * 2))
        assert channel.receive() is None
        channel.close()
        assert len(os.listdir("/proc/self/fd")) == before - 1


def test_a_spawner_that_does_not_read_holds_nobody_but_its_own_app(driver, hello):
    """Its queue fills and then its spawns fail; others go on meanwhile."""
    # So large that a few of them fill the socket.
    text = {"text": "x" * 100_000}
    stopped = replace(hello, name="stopped", options=text)
    first = driver.spawn(stopped, ("app",))
    first.ready()
    os.kill(first.pid(APP), signal.SIGSTOP)
    waiting = [driver.spawn(stopped, ("app",)) for _ in range(MAX_QUEUED + 10)]
    refused = waiting[-1].wait().failure
    assert (refused.category, refused.summary) == (
        SYSTEM,
        f"app stopped: its app spawner {first.pid(APP)} takes no requests",
    )
    other = driver.spawn(hello, ("app",))
    other.ready()
    assert other.started() == [APP, WORKER]
    first.cut(APP)
    for spawn in waiting:
        spawn.wait()


def test_a_message_that_nobody_knows_is_logged_and_ignored(driver, hello):
    """A newer controller may say more than an older copy of the code knows."""
    driver.tell("surprise", text="x")
    driver.tell("spawn", nothing="useful")
    driver.spawn(make_app(driver.folder / "again", "def app(e, s): pass")).ready()
    driver.log.seek(0)
    logged = driver.log.read().decode()
    assert "unknown message 'surprise'" in logged
    assert "a spawn that can't be read" in logged
