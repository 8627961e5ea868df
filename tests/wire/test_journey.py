"""Journey records: one packet each, strict, and never too large."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame
from passtwist.model import SPAWN_FAILURES, UNSAFE, WARNING, Scene
from passtwist.wire.journey import (
    BEGUN,
    DONE,
    FAILED,
    MAX_FINDING,
    MAX_FINDINGS,
    MAX_ITEM,
    MAX_ITEMS,
    MAX_RECORD,
    MAX_SHORT_TEXT,
    MAX_TEXT,
    FailedRecord,
    FindingRecord,
    ReadyRecord,
    StartedRecord,
    StepRecord,
    cut,
    decode_record,
    encode_record,
    encode_step,
)

TEXT = st.text(max_size=30)
PIDS = st.integers(0, 2**22)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SCENES = st.builds(
    Scene,
    python=TEXT,
    folder=TEXT,
    excerpt=TEXT,
    path=TEXTS,
    environ=TEXTS,
    own_files=TEXTS,
)
FAILURES = st.builds(
    FailedRecord,
    who=TEXT,
    pid=PIDS,
    step=TEXT,
    category=st.sampled_from(SPAWN_FAILURES),
    summary=TEXT,
    advice=TEXT,
    detail=TEXT,
    findings=TEXTS,
    scene=st.none() | SCENES,
)
RECORDS = st.one_of(
    FAILURES,
    st.builds(
        StepRecord,
        who=TEXT,
        pid=PIDS,
        step=TEXT,
        state=st.sampled_from([BEGUN, DONE, FAILED]),
        at=st.floats(0, 1e9),
    ),
    st.builds(StartedRecord, who=TEXT, pid=PIDS),
    st.builds(
        FindingRecord,
        who=TEXT,
        pid=PIDS,
        token=TEXT,
        text=TEXT,
        level=st.sampled_from([UNSAFE, WARNING]),
        place=TEXT,
        hint=TEXT,
    ),
    st.builds(
        ReadyRecord,
        pid=PIDS,
        protocol=st.sampled_from(["session", "http"]),
        concurrency=st.integers(1, 128),
    ),
)


@given(record=RECORDS)
def test_a_record_comes_back_as_it_was(record):
    """Round trip, any text."""
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize(
    ("character", "share"),
    [("a", 1), ("\0", 4), ("\u20ac", 4), ("\udcff", 4), ("\U0001f600", 8)],
)
def test_the_longest_record_fits_a_packet(character, share):
    """Also when each character is escaped, by six bytes or by twelve."""
    text = character * 100_000
    texts = (text,) * 100
    scene = Scene(*[text] * 5, texts, texts, text, text, texts)
    record = FailedRecord(text, 1, text, "system", text, text, text, texts, scene)
    packet = encode_record(record)
    assert len(packet) <= MAX_RECORD
    found = decode_record(packet)
    assert len(found.summary) == MAX_SHORT_TEXT // share
    assert len(found.detail) == MAX_TEXT["detail"] // share
    lengths = [len(each) for each in found.findings]
    assert lengths == [MAX_FINDING // share] * MAX_FINDINGS
    for name, count in MAX_ITEMS.items():
        items = getattr(found.scene, name)
        assert [len(each) for each in items] == [MAX_ITEM // share] * count


def test_a_text_that_is_cut_keeps_its_end():
    """The end of a traceback says most."""
    assert cut("x" * 100 + "the error", 20) == "[...]\n" + "xxxxx" + "the error"
    assert cut("short", 5) == "short"


GOOD = json.loads(encode_record(FailedRecord("a", 1, "s", "system", "x")))


@pytest.mark.parametrize(
    "change",
    [
        {"t": "other"},
        {"t": None},
        {"pid": "1"},
        {"pid": True},
        {"category": "because"},
        {"summary": 3},
        {"findings": "text"},
        {"findings": [1]},
        {"scene": "text"},
        {"scene": []},
        {"scene": {"python": 1}},
        {"scene": {"path": "text"}},
        {"scene": {"path": 3}},
        {"scene": {"environ": [1]}},
        {"scene": {"surprise": ""}},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_failure_that_is_not_one_is_refused(change):
    """An app's own code runs in the process that writes records."""
    with pytest.raises(BadFrame):
        decode_record(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize(
    "record",
    [
        {"t": "step", "who": "a", "pid": 1, "step": "s", "state": "maybe", "at": 1},
        {"t": "step", "who": "a", "pid": 1, "step": "s", "state": "done", "at": "1"},
        {"t": "ready", "pid": 1, "protocol": "gopher", "concurrency": 1},
        {"t": "ready", "pid": 1, "protocol": "session", "concurrency": 0},
        {"t": "ready", "pid": 1, "protocol": "session", "concurrency": 129},
        {"t": "started", "who": "a"},
        {
            **dict.fromkeys(("who", "token", "text", "place", "hint"), ""),
            "t": "finding",
            "pid": 1,
            "level": "dreadful",
        },
    ],
    ids=str,
)
def test_other_records_that_are_not_ones_are_refused(record):
    with pytest.raises(BadFrame):
        decode_record(json.dumps(record).encode())


@given(packet=st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(packet):
    """Whatever the bytes."""
    with pytest.raises(BadFrame):
        decode_record(packet)


def test_a_packet_over_the_limit_is_not_even_parsed():
    with pytest.raises(BadFrame, match="bytes"):
        decode_record(b" " * (MAX_RECORD + 1))


@given(TEXT, PIDS, TEXT, st.sampled_from([BEGUN, DONE, FAILED]), st.floats(0, 1e9))
def test_a_step_is_written_in_the_short_way_as_in_the_long_one(
    who, pid, step, state, at
):
    record = StepRecord(who, pid, step, state, at)
    assert encode_step(who, pid, step, state, at) == encode_record(record)
    assert decode_record(encode_step(who, pid, step, state, at)) == record
