"""Frames: any bytes in any pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import FrameTooLarge
from passtwist.wire.frames import HEADER, HEADER_SIZE, FrameReader, encode_frame

LIMIT = 1000
FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=LIMIT)),
    max_size=6,
)


def encode(frames):
    return b"".join(
        encode_frame(kind, payload, flags) for kind, flags, payload in frames
    )


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 6100), max_size=10))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(frames, cuts):
    """Round trip through any split."""
    data = encode(frames)
    reader = FrameReader(LIMIT)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = []
    for begin, end in pairwise(edges):
        found += reader.feed(data[begin:end])
    assert (found, reader.pending) == (frames, 0)


def test_a_frame_may_be_split_at_every_byte():
    """And what is missing is pending."""
    data = encode([(1, 2, b"payload")])
    for cut in range(len(data)):
        reader = FrameReader(LIMIT)
        assert reader.feed(data[:cut]) == []
        assert reader.pending == cut
        assert reader.feed(data[cut:]) == [(1, 2, b"payload")]


def test_the_limit_itself_is_allowed_and_one_more_is_not():
    """Refused with the header, before anything of it is kept."""
    assert FrameReader(5).feed(encode_frame(1, b"12345")) == [(1, 0, b"12345")]
    reader = FrameReader(5)
    with pytest.raises(FrameTooLarge, match="type 1 announces 6 bytes; the limit is 5"):
        reader.feed(HEADER.pack(1, 0, 6))


@given(data=st.binary(max_size=300))
def test_garbage_is_frames_or_too_large(data):
    """Nothing else can come of it, and never more than was fed."""
    try:
        frames = FrameReader(LIMIT).feed(data)
    except FrameTooLarge:
        return
    assert sum(len(payload) + HEADER_SIZE for _, _, payload in frames) <= len(data)
