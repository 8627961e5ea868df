"""The codec of sessions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame, ForgedEnviron
from passtwist.wire import session
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.scoreboard import SLOTS

TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"-"))
KEYS = TEXT.filter(bool)


def payload(frame):
    """The only frame's payload."""
    ((_, _, found),) = FrameReader(MAX_SESSION_PAYLOAD).feed(frame)
    return found


@given(
    number=st.integers(0, 2**64 - 1),
    pairs=st.dictionaries(KEYS, TEXT, min_size=1, max_size=20),
)
def test_a_requests_variables_come_back_as_latin_1(number, pairs):
    """Every byte but NUL, empty values too."""
    flat = [part for pair in pairs.items() for part in pair]
    data = payload(session.encode_request_start(number, flat))
    wanted = {
        key.decode("latin-1"): val.decode("latin-1") for key, val in pairs.items()
    }
    assert session.decode_request_start(data) == (number, wanted)


@given(
    pairs=st.lists(TEXT, min_size=2, max_size=8),
    at=st.integers(0, 7),
    place=st.integers(0, 40),
)
def test_a_nul_in_any_key_or_value_is_refused(pairs, at, place):
    """Otherwise it would add variables of the client's choice."""
    victim = at % len(pairs)
    pairs[victim] = pairs[victim][:place] + b"\0" + pairs[victim][place:]
    with pytest.raises(ForgedEnviron):
        session.encode_request_start(1, pairs)


def test_a_forged_path_cannot_set_remote_user():
    """The case in point."""
    with pytest.raises(ForgedEnviron):
        session.encode_request_start(1, [b"PATH_INFO", b"/a\0REMOTE_USER\0admin"])


@pytest.mark.parametrize("data", [b"", b"1234567", bytes(8), bytes(8) + b"A\0b\0C"])
def test_a_start_that_is_no_list_of_pairs_is_refused(data):
    """Too short, or a key without its value."""
    with pytest.raises(BadFrame):
        session.decode_request_start(data)


@given(size=st.integers(0, 3 * MAX_SESSION_PAYLOAD), last=st.booleans())
def test_a_body_of_any_size_is_cut_into_frames_within_the_limit(size, last):
    """LAST is on the final frame and nowhere else."""
    data = bytes(size)
    frames = FrameReader(MAX_SESSION_PAYLOAD).feed(session.encode_body(data, last))
    if not size:
        assert frames == ([(session.END, 0, b"")] if last else [])
        return
    assert {kind for kind, _, _ in frames} == {session.BODY}
    assert b"".join(piece for _, _, piece in frames) == data
    flags = [flags for _, flags, _ in frames]
    assert flags == [0] * (len(frames) - 1) + [session.LAST if last else 0]


@given(length=st.integers(0, 2**64 - 1))
def test_the_length_of_a_body_file_comes_back(length):
    """It is the last frame of its request."""
    frame = session.encode_body_file(length)
    ((kind, flags, data),) = FrameReader(100).feed(frame)
    assert (kind, flags) == (session.BODY_FILE, session.LAST)
    assert session.decode_body_file(data) == length


@given(slot=st.integers(0, SLOTS - 1))
def test_the_slot_of_a_connection_comes_back(slot):
    """READY says which part of the scoreboard belongs to it."""
    assert session.decode_ready(payload(session.encode_ready(slot))) == slot


@given(slot=st.integers(SLOTS, 2**32 - 1))
def test_a_slot_that_no_scoreboard_has_is_refused(slot):
    """The controller would look for the request's number beyond the page."""
    with pytest.raises(BadFrame):
        session.decode_ready(payload(session.encode_ready(slot)))


@pytest.mark.parametrize("decode", [session.decode_ready, session.decode_body_file])
@pytest.mark.parametrize("size", [0, 3, 5, 7, 9])
def test_numbers_of_another_size_are_refused(decode, size):
    """They are of one size each."""
    with pytest.raises(BadFrame):
        decode(bytes(size))


def test_a_responses_head_travels_as_it_is():
    """The front end checks it, not the codec."""
    head = b"200 OK\r\nA: b\r\n"
    frames = FrameReader(100).feed(session.encode_response_start(head, session.LAST))
    assert frames == [(session.START, session.LAST, head)]
