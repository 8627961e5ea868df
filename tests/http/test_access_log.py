"""The access log: its lines, and targets that do not take them."""

from __future__ import annotations

import json
import os
import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.api.log_target import KEPT
from passtwist.errors import StartupError
from passtwist.http.access_log import AccessLog
from passtwist.http.log_format import Entry, as_json, combined

ENTRY = Entry(
    at=784111777.25,
    total=0.0123456,
    queue=0.001,
    app_time=0.0101,
    remote=b"192.0.2.7",
    method=b"GET",
    target=b'/a"b\\c?d',
    http11=True,
    status=200,
    received=3,
    sent=5,
    pairs=[
        b"HTTP_HOST",
        b"shop.example",
        b"HTTP_REFERER",
        b"http://x/\xe9",
        b"HTTP_USER_AGENT",
        b'curl"\x01',
    ],
    request_id=b"id-1",
    app="shop",
    worker=4711,
    spawn_method="smart",
    attempts=1,
    complete=True,
)
LINE = (
    b'192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] "GET /a\\x22b\\x5cc?d HTTP/1.1" '
    b'200 5 "http://x/\\xe9" "curl\\x22\\x01"\n'
)


def test_the_combined_format():
    """As Apache and nginx write it; nothing in it can end the line or a field."""
    assert combined(ENTRY) == LINE


def test_the_combined_format_of_what_could_not_be_read():
    """Dashes for what is not known."""
    entry = ENTRY._replace(
        remote=b"", method=b"", target=b"", status=400, sent=0, pairs=(), http11=False
    )
    assert combined(entry) == (
        b'- - - [06/Nov/1994:08:49:37 +0000] "- - HTTP/1.0" 400 - "-" "-"\n'
    )


def test_the_json_format():
    """Seconds and bytes, one object on a line."""
    line = as_json(ENTRY)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "at": 784111777.25,
        "total_s": 0.012346,
        "queue_s": 0.001,
        "app_s": 0.0101,
        "remote": "192.0.2.7",
        "method": "GET",
        "target": '/a"b\\c?d',
        "protocol": "HTTP/1.1",
        "host": "shop.example",
        "status": 200,
        "received": 3,
        "sent": 5,
        "complete": True,
        "referer": "http://x/é",
        "user_agent": 'curl"\x01',
        "request_id": "id-1",
        "app": "shop",
        "worker": 4711,
        "spawn_method": "smart",
        "attempts": 1,
    }


@given(
    texts=st.lists(st.binary(max_size=20), min_size=7, max_size=7),
    number=st.integers(0, 2**40),
    seconds=st.floats(0, 1e6),
)
def test_a_json_line_is_json_whatever_a_client_sends(texts, number, seconds):
    """And a line; each byte is the character of its number."""
    remote, method, target, host, referer, agent, request_id = texts
    pairs = [b"HTTP_HOST", host, b"HTTP_REFERER", referer, b"HTTP_USER_AGENT", agent]
    entry = ENTRY._replace(
        remote=remote,
        method=method,
        target=target,
        pairs=pairs,
        request_id=request_id,
        sent=number,
        received=number,
        queue=seconds,
    )
    line = as_json(entry)
    assert line.index(b"\n") == len(line) - 1
    found = json.loads(line)
    keys = ("remote", "method", "target", "host", "referer", "user_agent", "request_id")
    assert [found[key].encode("latin-1") for key in keys] == texts
    assert (found["sent"], found["received"]) == (number, number)
    assert found["queue_s"] == pytest.approx(seconds, abs=1e-6)


def test_lines_are_written_with_the_next_tick(bench):
    """In one batch, also those of requests that were refused or left."""
    path = bench.folder / "access.log"
    log = AccessLog(str(path))
    log.open()
    bench.configure(access_log=log)
    client = bench.connect()
    client.send(b"GET /one HTTP/1.1\r\nHost: a\r\nUser-Agent: u\r\n\r\n")
    bench.pool.last.responder.answer(b"200 OK\r\n", b"hello")
    client.send(b"GET /two HTTP/1.1\r\nHost: a\r\n\r\n")
    assert path.read_bytes() == b""
    bench.pass_time(1)
    assert path.read_bytes() == (
        b"192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] "
        b'"GET /one HTTP/1.1" 200 5 "-" "u"\n'
    )
    client.leave()
    other = bench.connect()
    other.send(b"nonsense\r\n\r\n")
    other.leave()
    lines = path.read_bytes().splitlines()
    assert lines[1].endswith(b'"GET /two HTTP/1.1" 499 - "-" "-"')
    assert b'"- - HTTP/1.1" 400 ' in lines[2]
    log.close()


@pytest.fixture
def told(bench):
    """A front end with an access log in JSON; what it has told of the requests."""
    path = bench.folder / "access.log"
    log = AccessLog(str(path), "json")
    log.open()
    bench.configure(access_log=log)

    def told():
        log.flush()
        keys = ("status", "total_s", "queue_s", "app_s", "worker", "spawn_method")
        more = ("attempts", "received", "sent", "complete", "request_id")
        found = [json.loads(line) for line in path.read_bytes().splitlines()]
        path.write_bytes(b"")
        return [tuple(one[key] for key in (*keys, *more)) for one in found]

    yield told
    log.close()


def test_it_tells_where_a_requests_time_went(bench, told):
    """Two seconds for its body, three in the queue, five in the second worker that it
    was given to.
    """
    client = bench.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    bench.pass_time(2)
    client.send(b"cd")
    session = bench.pool.last
    session.queued_at = bench.clock.seconds()
    bench.pass_time(3)
    session.started_at, session.attempts = bench.clock.seconds(), 2
    bench.pass_time(5)
    session.responder.answer(b"200 OK\r\n", b"hello")
    facts = (4711, "conservative", 2, 4, 5, True, "id-1")
    assert told() == [(200, 10.0, 3.0, 5.0, *facts)]


def test_a_request_that_never_got_to_a_worker_was_in_the_queue(bench, told):
    """Until its client left, or it was answered without an app."""
    client = bench.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    session = bench.pool.last
    session.queued_at, session.attempts = bench.clock.seconds(), 0
    session.worker_pid, session.spawn_method = 0, ""
    bench.pass_time(3)
    client.leave()
    other = bench.connect()
    other.send(b"nonsense\r\n\r\n")
    left, refused = told()
    assert left == (499, 3.0, 3.0, 0.0, 0, "", 0, 0, 0, False, "id-1")
    assert refused[:7] == (400, 0.0, 0.0, 0.0, 0, "", 0)


def test_a_response_that_was_cut_off_is_not_complete(bench, told):
    """With the status that the client saw."""
    client = bench.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    session = bench.pool.last
    session.queued_at = session.started_at = bench.clock.seconds()
    session.responder.begin(b"200 OK\r\nContent-Length: 10\r\n")
    session.responder.write(b"1234")
    session.responder.finish()
    facts = (4711, "conservative", 1, 0, 4, False, "id-1")
    assert told() == [(200, 0.0, 0.0, 0.0, *facts)]


def test_a_batch_is_written_when_it_is_large_enough(tmp_path):
    """Without waiting for a tick."""
    log = AccessLog(str(tmp_path / "log"))
    log.open()
    for _ in range(512):
        log.record(ENTRY)
    assert (tmp_path / "log").read_bytes() == LINE * 512
    log.close()


def test_a_rotated_file_is_opened_anew(tmp_path):
    """What was recorded before goes to the old one."""
    path, old = tmp_path / "log", tmp_path / "log.1"
    log = AccessLog(str(path))
    log.open()
    log.record(ENTRY)
    path.rename(old)
    log.reopen()
    log.record(ENTRY)
    log.close()
    assert (old.read_bytes(), path.read_bytes()) == (LINE, LINE)


def test_a_file_that_can_not_be_opened_anew_stays_open(tmp_path, logged_failures):
    """The server goes on with what it has."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = AccessLog(str(folder / "log"))
    log.open()
    (folder / "log").rename(tmp_path / "old")
    folder.rmdir()
    log.reopen()
    log.record(ENTRY)
    log.close()
    assert (tmp_path / "old").read_bytes() == LINE


def test_a_full_disk_stops_nobody(lines):
    """Lines are kept for a while, then dropped and counted."""
    log = AccessLog("/dev/full")
    log.open()
    for _ in range(20_000):
        log.record(ENTRY)
    log.flush()
    assert 20_000 - KEPT // len(LINE) - 512 <= log.dropped < 20_000
    log.close()
    assert log.dropped == 20_000
    assert lines == ["the access log can't be written: No space left on device"]


def test_a_pipe_that_nobody_reads_stops_nobody(tmp_path, lines):
    """What is read later is whole lines, in order; the log says what was lost."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(path)
    log.open()
    for number in range(30_000):
        log.record(ENTRY._replace(status=10_000 + number))
    log.flush()
    assert log.dropped > 0
    data = b""
    while True:
        try:
            data += os.read(reader, 1 << 20)
        except BlockingIOError:
            log.flush()
            if not select.select([reader], [], [], 0)[0]:
                break
    log.close()
    os.close(reader)
    assert lines == [
        "the access log is not read fast enough, and lines are dropped",
        f"the access log takes lines again; {log.dropped} were lost",
    ]
    written = data.splitlines(keepends=True)
    numbers = [int(line.split(b'" ')[1].split()[0]) for line in written]
    assert numbers == sorted(numbers)
    assert len(written) + log.dropped == 30_000


def test_a_pipe_whose_reader_left_stops_nobody(tmp_path):
    """The server is not killed by it either."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(path)
    log.open()
    os.close(reader)
    log.record(ENTRY)
    log.flush()
    log.close()
    assert not log.enabled


def test_a_pipe_that_has_no_reader_is_an_error_at_the_start(tmp_path):
    """One that names it, not a server that waits for a reader."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    with pytest.raises(StartupError) as raised:
        AccessLog(path).open()
    assert str(raised.value) == (
        f"access_log {path}: No such device or address; set access_log to a file that "
        "can be written"
    )


def test_what_a_pipe_takes_ends_with_a_line(tmp_path):
    """Others may write to the same pipe meanwhile."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(path)
    log.open()
    for _ in range(2000):
        log.record(ENTRY)
    log.flush()
    data = b""
    while select.select([reader], [], [], 0)[0]:
        data += os.read(reader, 1 << 20)
    log.close()
    os.close(reader)
    assert len(data) < 2000 * len(LINE)
    assert set(data.splitlines(keepends=True)) == {LINE}


def test_off_records_nothing(bench):
    """The front end does not even ask the clock."""
    assert AccessLog("off").enabled is False


def test_an_unknown_format_is_an_error():
    """At start."""
    with pytest.raises(KeyError):
        AccessLog("off", "apache")


def test_standard_output_is_not_closed(capfd):
    """It belongs to the process."""
    log = AccessLog("-")
    log.open()
    log.record(ENTRY)
    log.close()
    os.write(1, b"still open\n")
    assert capfd.readouterr().out.encode("latin-1") == LINE + b"still open\n"


def test_it_goes_on_in_another_file_and_another_format(tmp_path):
    """What was recorded before is written as it was to be."""
    old, new = tmp_path / "old", tmp_path / "new"
    log = AccessLog(str(old), "combined")
    log.open()
    log.record(ENTRY)
    other = AccessLog(str(new), "json")
    other.open()
    log.take_over(other)
    log.record(ENTRY)
    log.flush()
    assert old.read_bytes() == LINE
    assert new.read_bytes() == as_json(ENTRY)
    new.rename(old)
    log.reopen()
    log.record(ENTRY)
    log.close()
    assert new.read_bytes() == as_json(ENTRY)


@pytest.mark.parametrize("targets", [("off", "file"), ("file", "off")])
def test_it_can_be_switched_on_and_off(tmp_path, targets):
    files = [one if one == "off" else str(tmp_path / one) for one in targets]
    log, other = (AccessLog(one, "combined") for one in files)
    log.open()
    other.open()
    log.take_over(other)
    assert log.enabled == (targets[1] != "off")
    log.close()
