"""Clients that read slowly: who drips is cut off, whoever keeps the rate is not."""

from __future__ import annotations

import fcntl

import pytest_twisted

from passtwist.http.sending import bytes_taken
from tests.http.turns import submitted, until

SIOCOUTQNSD = 0x894B  # linux/sockios.h: bytes in the kernel that were not sent yet
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class SlowReader:
    """A client whose transport takes one piece of the response at a time.

    :param pieces: that wait for it, of so many bytes.
    """

    def __init__(self, bench, pieces, size):
        self.client = bench.connect()
        self.client.send(GET)
        self.producer = self.client.transport.producer
        self._write = self.client.transport.write
        self.client.transport.write = self._write_one
        self.producer.pauseProducing()
        responder = bench.pool.last.responder
        responder.begin(b"200 OK\r\nContent-Length: %d\r\n" % (pieces * size))
        for _ in range(pieces):
            responder.write(b"x" * size)
        responder.finish()
        self.sip()  # the head

    def _write_one(self, data):
        self._write(data)
        self.producer.pauseProducing()

    def sip(self):
        self.producer.resumeProducing()


def test_a_client_that_takes_a_byte_a_minute_is_cut_off(bench):
    """Nearly a minute apart: each would do as a sign of life."""
    reader = SlowReader(bench, pieces=1000, size=1)
    bench.pass_time(50)
    reader.sip()
    bench.pass_time(12)
    assert reader.client.aborted
    assert bench.front.counters.timed_out == 1
    assert bench.front.counters.client_gone == 0


def test_a_client_that_keeps_the_rate_may_take_for_ever(bench):
    """600 bytes a second for ten minutes; then it is served on."""
    bench.configure(response_memory=1_000_000)
    reader = SlowReader(bench, pieces=600, size=600)
    for _ in range(600):
        bench.pass_time(1)
        reader.sip()
    reader.sip()  # it has the last one
    bench.answers()
    assert reader.client.take().count(b"x") == 600 * 600
    reader.client.connection.dataReceived(GET)
    assert len(bench.pool.sessions) == 2


def test_a_client_may_pause_and_go_on(bench):
    """Half a minute without a byte, then 30 KB at once."""
    bench.configure(response_memory=1_000_000)
    reader = SlowReader(bench, pieces=20, size=30_000)
    for _ in range(20):
        bench.pass_time(40)
        reader.sip()
    assert not reader.client.aborted


def test_a_client_that_stops_after_a_good_beginning_is_cut_off(bench):
    """What it took before is worth no more than a pause."""
    reader = SlowReader(bench, pieces=20, size=100_000)
    for _ in range(10):
        bench.pass_time(1)
        reader.sip()
    bench.pass_time(60)
    assert not reader.client.aborted
    # It is looked at four times in a pause.
    bench.pass_time(20)
    assert reader.client.aborted


def test_an_app_that_pauses_makes_no_client_slow(bench):
    """Events for hours, each taken as it comes: nothing waits for the client."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\nContent-Type: text/event-stream\r\n")
    for _ in range(20):
        client.transport.producer.pauseProducing()
        responder.write(b"data: x\n\n")
        bench.pass_time(30)
        client.transport.producer.resumeProducing()
        bench.pass_time(600)
    assert not client.aborted
    assert bench.front.counters.timed_out == 0


def test_a_machine_that_slept_cuts_nobody_off(bench):
    """An hour that nobody saw pass does not count."""
    reader = SlowReader(bench, pieces=100, size=100)
    bench.pass_time(50)
    bench.clock.advance(3600)
    bench.pass_time(5)
    assert not reader.client.aborted
    bench.pass_time(12)
    assert reader.client.aborted


def test_who_reads_nothing_of_a_100_has_the_time_of_the_answer(bench):
    """It waits already when the answer begins."""
    client = bench.connect()
    client.transport.producer.pauseProducing()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    bench.pass_time(5)
    client.send(b"x")
    bench.pool.last.responder.answer(b"200 OK\r\n", b"hello")
    bench.pass_time(50)
    assert not client.aborted
    bench.pass_time(12)
    assert client.aborted


def test_a_body_that_is_late_while_something_waits_is_408(bench):
    """And when nobody reads that either, the connection is cut off."""
    client = bench.connect()
    client.transport.producer.pauseProducing()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    bench.pass_time(22)
    assert bench.front.counters.refused == 1
    assert not client.aborted
    bench.pass_time(40)
    assert client.aborted


# --- on real sockets ---------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_what_a_client_acknowledges_is_taken(real):
    """By TCP each byte is counted when the client's kernel has it."""
    await real.serve()
    real.answers(body=b"x" * 1_000_000)
    client = await real.connect()
    (connection,) = await until(lambda: list(real.front.connections), "a connection")
    before = bytes_taken(connection.transport, 0)
    client.send(GET)
    await client.until(lambda client: len(client.data) > 1_000_000)
    await until(
        lambda: bytes_taken(connection.transport, 0) - before == len(client.data),
        "all to be acknowledged",
    )


@pytest_twisted.ensureDeferred
async def test_what_waits_in_the_kernel_of_a_unix_socket_is_not_taken(real):
    """It was handed over, and is counted when the client has read it."""
    path = f"unix:{real.folder}/sock"
    await real.serve(path)
    client = await real.connect(path)
    client.transport.pauseProducing()
    client.send(GET)
    await submitted(real, 1)
    (connection,) = real.front.connections
    assert bytes_taken(connection.transport, 9) == 9
    real.pool.last.responder.answer(b"200 OK\r\n", b"x" * 10_000)
    assert bytes_taken(connection.transport, 9) < 9 - 10_000
    client.transport.resumeProducing()
    await client.until(lambda client: len(client.data) > 10_000)
    await until(lambda: bytes_taken(connection.transport, 9) == 9, "all to be read")


@pytest_twisted.ensureDeferred
async def test_the_kernel_takes_no_more_than_it_can_soon_send(real):
    """Megabytes for each slow reader would be memory that all sockets share."""
    await real.serve()
    real.answers(body=b"x" * 10_000_000)
    client = await real.connect()
    client.transport.pauseProducing()
    (connection,) = await until(lambda: list(real.front.connections), "a connection")
    client.send(GET)
    await until(lambda: connection.output.waiting, "a part of the answer to wait")
    handle = connection.transport.getHandle()
    # What the client's own kernel takes is on its way already.
    unsent = int.from_bytes(fcntl.ioctl(handle, SIOCOUTQNSD, bytes(4)), "little")
    assert 0 < unsent < 1_000_000


def test_a_transport_that_can_not_tell_is_believed_by_what_it_was_handed(bench):
    """Such as one of a plugin's."""
    assert bytes_taken(bench.connect().transport, 77) == 77
