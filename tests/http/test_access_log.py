"""The access log: its lines, and targets that do not take them."""

from __future__ import annotations

import json
import os

import pytest

from passtwist.http.access_log import AccessLog
from passtwist.http.log_format import Entry, as_json, combined

ENTRY = Entry(
    at=784111777.25,
    seconds=0.0123456,
    remote=b"192.0.2.7",
    method=b"GET",
    target=b'/a"b\\c?d',
    http11=True,
    status=200,
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
        "seconds": 0.012346,
        "remote": "192.0.2.7",
        "method": "GET",
        "target": '/a"b\\c?d',
        "protocol": "HTTP/1.1",
        "host": "shop.example",
        "status": 200,
        "sent": 5,
        "complete": True,
        "referer": "http://x/é",
        "user_agent": 'curl"\x01',
        "request_id": "id-1",
        "app": "shop",
        "worker": 4711,
        "attempts": 1,
    }


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


def test_a_full_disk_stops_nobody(tmp_path):
    """Lines are kept for a while, then dropped and counted."""
    log = AccessLog("/dev/full")
    log.open()
    for _ in range(20_000):
        log.record(ENTRY)
    log.flush()
    assert 0 < log.dropped < 20_000
    assert len(log._unwritten) <= 1 << 20
    log.close()


def test_a_pipe_that_nobody_reads_stops_nobody(tmp_path):
    """What is read later is whole lines, in order."""
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
            if not log._unwritten:
                break
            log.flush()
    log.close()
    os.close(reader)
    lines = data.splitlines(keepends=True)
    numbers = [int(line.split(b'" ')[1].split()[0]) for line in lines]
    assert numbers == sorted(numbers)
    assert len(lines) + log.dropped == 30_000


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
