"""Control messages: what is sent comes back, what is not ours is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame, FrameTooLarge, VersionMismatch, WireError
from passtwist.model import AppSpec, SpawnRequest
from passtwist.wire import control
from passtwist.wire.frames import HEADER_SIZE, MAX_CONTROL_PAYLOAD, encode_frame

TEXT = st.text(max_size=20)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
APPS = st.builds(
    AppSpec,
    name=TEXT,
    root=TEXT,
    env=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    threads=st.integers(1, 128),
    umask=st.integers(0, 0o777),
    warmup=TEXTS,
    fork_allow=TEXTS,
    start_timeout=st.floats(0, 1e6),
    options=st.dictionaries(TEXT, TEXT, max_size=3),
    framework_key=TEXTS,
    user=TEXT,
    uid=st.integers(-1, 2**32 - 2),
    groups=st.lists(st.integers(0, 2**32 - 2), max_size=3).map(tuple),
    spawner_max_age=st.floats(0, 1e6),
    limits=st.lists(st.tuples(TEXT, st.integers(0, 2**63)), max_size=3).map(tuple),
)
REQUESTS = st.builds(
    SpawnRequest,
    number=st.integers(0, 2**63),
    app=APPS,
    route=st.sampled_from([(), ("app",), ("framework", "app")]),
    generation=st.integers(0, 1000),
    spawner_idle_time=st.floats(0, 1e6),
)


def read(data):
    return control.MessageReader().feed(data)


@given(request=REQUESTS, fds=TEXTS)
def test_a_spawn_request_comes_back_whole(request, fds):
    """Through JSON, tuples and all."""
    body = control.spawn_request_to_body(request)
    ((message),) = read(control.encode_message("spawn", body, fds))
    assert (message.kind, message.fds) == ("spawn", fds)
    assert control.spawn_request_from_body(message.body) == request


@given(size=st.integers(1, 400))
def test_messages_come_out_whatever_the_pieces(size):
    """And in order."""
    data = b"".join(control.encode_message("k", {"n": n}) for n in range(3))
    reader = control.MessageReader()
    found = []
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    assert found == [control.Message("k", {"n": n}) for n in range(3)]


def test_a_message_that_is_too_large_is_not_sent():
    """The other end would refuse it, and with it the channel."""
    with pytest.raises(FrameTooLarge, match="control message 'spawn' has"):
        control.encode_message("spawn", {"text": "x" * MAX_CONTROL_PAYLOAD})


def test_more_descriptors_than_a_message_may_carry_are_refused():
    """On both ends."""
    names = [str(n) for n in range(control.MAX_DESCRIPTORS + 1)]
    with pytest.raises(BadFrame):
        control.encode_message("spawn", {}, names)
    envelope = {"v": control.VERSION, "type": "spawn", "body": {}, "fds": names}
    with pytest.raises(BadFrame):
        control.decode_message(json.dumps(envelope).encode())


def test_another_version_is_named():
    """The copy of the code in the runtime folder may be an older one's."""
    envelope = {"v": 99, "type": "spawn", "body": {}, "fds": []}
    with pytest.raises(VersionMismatch, match="version 99; this end speaks 1"):
        control.decode_message(json.dumps(envelope).encode())


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        3,
        {},
        {"v": 1},
        {"v": 1, "type": 3, "body": {}, "fds": []},
        {"v": 1, "type": "x", "body": [], "fds": []},
        {"v": 1, "type": "x", "body": {}, "fds": {}},
        {"v": 1, "type": "x", "body": {}, "fds": [1]},
    ],
    ids=str,
)
def test_what_is_no_message_is_refused(envelope):
    """Whatever part of it is wrong."""
    with pytest.raises(BadFrame):
        control.decode_message(json.dumps(envelope).encode())


def test_deep_nesting_is_refused_and_not_followed():
    """A recursion error must not end the layer."""
    with pytest.raises(BadFrame):
        control.decode_message(b"[" * 100_000)


@given(data=st.binary(max_size=200))
def test_garbage_on_a_channel_is_a_wire_error_or_incomplete(data):
    """Also behind a good header."""
    for stream in (data, encode_frame(control.MESSAGE, data)):
        try:
            assert read(stream) == [] or len(stream) >= HEADER_SIZE
        except WireError:
            pass


def test_a_frame_of_another_type_is_refused():
    """A session's frame on a control channel."""
    with pytest.raises(BadFrame, match="frame of type 1"):
        read(encode_frame(1, b"{}"))


GOOD = control.spawn_request_to_body(SpawnRequest(1, AppSpec("a", "/a")))


@pytest.mark.parametrize(
    "change",
    [
        {"app": None},
        {"app": {}},
        {"app": {**GOOD["app"], "surprise": 1}},
        {"app": {**GOOD["app"], "env": [["only a name"]]}},
        {"app": {**GOOD["app"], "warmup": 3}},
        {"number": "x"},
        {"route": None},
        {"generation": None},
    ],
    ids=str,
)
def test_a_body_that_is_no_spawn_request_is_refused(change):
    """Missing, unknown or of the wrong kind."""
    with pytest.raises(BadFrame):
        control.spawn_request_from_body({**GOOD, **change})


def test_a_reader_takes_an_app_again_only_when_it_has_changed():
    reader = control.SpawnRequestReader()

    def read(number, **changes):
        body = {**GOOD, "number": number, "app": {**GOOD["app"], **changes}}
        return reader.read(json.loads(json.dumps(body)))

    first, again = read(1), read(2)
    assert again.app is first.app
    assert (first, again) == (
        SpawnRequest(1, AppSpec("a", "/a")),
        SpawnRequest(2, AppSpec("a", "/a")),
    )
    assert read(3, name="b") == SpawnRequest(3, AppSpec("b", "/a"))
    with pytest.raises(BadFrame):
        read(4, surprise=1)
    assert read(5, name="b") == SpawnRequest(5, AppSpec("b", "/a"))
