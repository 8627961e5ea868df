"""A large file on its way: at the client's pace, and to the end or visibly not."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from random import Random

import pytest
import pytest_twisted
from twisted.internet.error import ConnectionDone

from passtwist.http.access_log import AccessLog
from passtwist.http.config import Site

MIB = 1 << 20
GET = b"GET /s/big HTTP/1.1\r\nHost: a\r\n\r\n"


def big_file(folder, size):
    """A file whose pieces are all different; its path."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    path = folder / "files" / "big"
    path.write_bytes(Random(size).randbytes(size))
    return path


def site_of(folder):
    return Site("shop", root=str(folder), static=(("/s", "files"),))


@pytest.fixture
def client(bench, tmp_path):
    bench.configure(site_of(tmp_path))
    bench.answers()
    return bench.connect()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def body_of(answer):
    return answer.partition(b"\r\n\r\n")[2]


def test_a_file_goes_out_in_turns_of_the_reactor(bench, client, tmp_path):
    """Others have theirs in between; the next request comes after it."""
    path = big_file(tmp_path, 3 * MIB + 8)
    before = descriptors()
    answer = client.send(GET + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert len(body_of(answer)) == MIB
    bench.clock.advance(0)
    answer += client.take()
    file, _, rest = body_of(answer).partition(b"HTTP/1.1 200 OK")
    assert file == path.read_bytes()
    assert rest.endswith(b"hello")
    assert descriptors() == before


def test_a_client_that_takes_nothing_is_sent_nothing(bench, client, tmp_path):
    """A piece is read when the one before was taken; nothing waits in memory."""
    path = big_file(tmp_path, MIB)
    producer = client.connection.output
    answers = [client.send(b"")]
    write = client.transport.write

    def full(data):
        write(data)
        producer.pauseProducing()

    client.transport.write = full
    answers.append(client.send(GET))
    pieces = 0
    while len(body_of(b"".join(answers))) < MIB:
        producer.resumeProducing()
        answers.append(client.take())
        pieces += 1
        assert len(answers[-1]) <= 32 * 1024
        assert pieces < 40
    assert body_of(b"".join(answers)) == path.read_bytes()


def test_a_client_that_leaves_ends_it(bench, client, tmp_path):
    """In the middle, and between two turns; the file is closed."""
    big_file(tmp_path, 2 * MIB)
    before = descriptors()
    client.send(GET)
    assert descriptors() == before + 1
    client.leave()
    assert descriptors() == before
    bench.clock.advance(0)
    assert len(body_of(client.take())) == 0


def test_a_file_that_shrinks_ends_the_connection(bench, client, tmp_path):
    """So that nobody takes it for complete."""
    path = big_file(tmp_path, 2 * MIB)
    before = descriptors()
    client.send(GET)
    os.truncate(path, MIB + 8)
    bench.clock.advance(0)
    assert client.aborted
    assert len(body_of(client.take())) < 2 * MIB
    assert descriptors() == before
    client.leave()


def test_a_file_that_is_replaced_is_sent_as_it_was(bench, client, tmp_path):
    """The open one: a deployment in the middle mixes nothing."""
    path = big_file(tmp_path, 2 * MIB)
    old = path.read_bytes()
    answer = client.send(GET)
    (tmp_path / "new").write_bytes(bytes(2 * MIB))
    (tmp_path / "new").rename(path)
    bench.clock.advance(0)
    assert body_of(answer + client.take()) == old


def test_a_part_of_a_large_file_is_sent(bench, client, tmp_path):
    """From the middle, and to its end only."""
    path = big_file(tmp_path, 3 * MIB)
    asked = GET[:-2] + b"Range: bytes=1000-1048675\r\n\r\n"
    answer = client.send(asked)
    bench.clock.advance(0)
    assert body_of(answer + client.take()) == path.read_bytes()[1000:1048676]


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_gets_all_of_it_over_a_socket(real, tmp_path):
    """Through the kernel's buffers, with stops on the way, and another after it."""
    path = big_file(tmp_path, 8 * MIB)
    await real.serve(site=site_of(tmp_path))
    real.answers()
    client = await real.connect()
    client.send(GET)
    for size in (MIB, 2 * MIB, 4 * MIB):
        await client.until(lambda c, size=size: len(c.data) > size)
        client.transport.pauseProducing()
        other = await real.connect()
        other.send(GET[:-2] + b"Range: bytes=-8\r\nConnection: close\r\n\r\n")
        assert body_of(await other.until_closed()) == path.read_bytes()[-8:]
        client.transport.resumeProducing()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.until_ends_with(b"hello")
    assert body_of(bytes(client.data))[: 8 * MIB] == path.read_bytes()


@pytest_twisted.ensureDeferred
async def test_where_the_kernel_can_not_send_a_file_it_is_read(
    real, tmp_path, monkeypatch
):
    """Not every file system can."""

    def failing(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", failing)
    path = big_file(tmp_path, 2 * MIB)
    await real.serve(site=site_of(tmp_path))
    client = await real.connect()
    client.send(GET[:-2] + b"Connection: close\r\n\r\n")
    assert body_of(await client.until_closed()) == path.read_bytes()


@pytest_twisted.ensureDeferred
async def test_a_file_that_shrinks_resets_the_connection(real, tmp_path):
    """While its client is slow; what the kernel has already taken may still come."""
    path = tmp_path / "files" / "big"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    await real.serve(site=site_of(tmp_path))
    client = await real.connect()
    client.send(GET)
    await client.until(lambda c: len(c.data) > MIB)
    client.transport.pauseProducing()
    os.truncate(path, MIB)
    client.transport.resumeProducing()
    data = await client.until_closed()
    assert not isinstance(client.lost, ConnectionDone)
    assert MIB < len(data) < 64 * MIB


def test_the_log_does_not_count_the_sending_as_the_apps_time(bench, tmp_path):
    """A large file that an app has named: its worker is in the log, and was free."""
    path = big_file(tmp_path, 2 * MIB)
    log = AccessLog(str(tmp_path / "log"), "json")
    log.open()
    site = replace(site_of(tmp_path), sendfile=("files",))
    bench.configure(site, access_log=log)
    client = bench.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    session = bench.pool.last
    session.queued_at = bench.clock.seconds() - 5
    session.started_at = bench.clock.seconds() - 3
    answer = b"200 OK\r\nX-Sendfile: " + os.fsencode(path) + b"\r\n"
    # In turns that take four seconds.
    bench.clock.callLater(0, bench.clock.advance, 4)
    session.responder.answer(answer, b"")
    bench.clock.advance(0)
    client.send(GET)
    bench.clock.advance(0)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    keys = ("sent", "worker", "attempts", "queue_s", "app_s", "complete")
    assert [tuple(line[key] for key in keys) for line in lines] == [
        (2 * MIB, 4711, 1, 2.0, 3.0, True),
        (2 * MIB, 0, 0, 0.0, 0.0, True),
    ]
    assert lines[0]["total_s"] == 4.0
