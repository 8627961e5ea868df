"""Deadlines: never early, and none of them a danger to an honest client."""

from __future__ import annotations

from twisted.internet.task import Clock

from passtwist.http.deadlines import NEVER, TICK, DeadlineWatch

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_connection_that_says_nothing_is_closed_silently(bench):
    """R45: not a byte came, so there is nothing to answer."""
    client = bench.connect()
    bench.pass_time(30)
    assert not client.closed
    bench.pass_time(2)
    assert (client.closed, client.take()) == (True, b"")


def test_a_head_that_drips_is_408_in_the_end(bench):
    """R45: the deadline is absolute; bytes do not extend it."""
    client = bench.connect()
    for byte in b"GET / HTTP/1.1\r\nHost: aaaaaaaa":
        assert client.send(bytes([byte])) == b""
        bench.pass_time(1)
    bench.pass_time(3)
    data = client.take()
    assert data.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in data
    assert client.closed
    assert bench.front.counters.timed_out == 1


def test_an_idle_connection_is_closed_silently(bench):
    """65 seconds after the response, in which nothing came."""
    bench.answers()
    client = bench.connect()
    client.send(GET)
    bench.pass_time(65)
    assert not client.closed
    bench.pass_time(2)
    assert (client.closed, client.take()) == (True, b"")


def test_the_next_head_has_its_own_deadline(bench):
    """From its first byte, however long the connection was idle."""
    bench.answers()
    client = bench.connect()
    client.send(GET)
    bench.pass_time(60)
    client.send(GET[:5])
    bench.pass_time(30)
    assert client.send(GET[5:]).startswith(b"HTTP/1.1 200 OK\r\n")
    client.send(GET[:5])
    bench.pass_time(32)
    assert client.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def test_a_body_that_drips_is_408_when_the_grace_is_over(bench):
    """500 bytes a second are asked for after 20 seconds, and a drop buys nothing."""
    client = bench.connect()
    client.send(POST % 1000)
    for _ in range(20):
        assert client.send(b"x") == b""
        bench.pass_time(1)
    bench.pass_time(2)
    assert client.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.closed
    assert bench.front.counters.timed_out == 1
    assert bench.pool.sessions == []


def test_a_body_that_keeps_its_rate_may_take_for_ever(bench):
    """Ten minutes at 600 bytes a second."""
    bench.answers()
    client = bench.connect()
    client.send(POST % (600 * 600))
    for _ in range(599):
        client.send(b"x" * 600)
        bench.pass_time(1)
    assert client.take() == b""
    assert client.send(b"x" * 600).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_that_came_fast_at_first_may_not_drip_for_long(bench):
    """What it brought too early is worth no more than a pause."""
    client = bench.connect()
    client.send(POST % 1_000_000)
    client.send(b"x" * 500_000)
    bench.pass_time(59)
    assert client.send(b"x") == b""
    bench.pass_time(4)
    assert client.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_body_of_a_machine_that_slept_has_its_time(bench):
    """An hour that nobody saw pass does not count."""
    client = bench.connect()
    client.send(POST % 1000)
    client.send(b"x")
    bench.pass_time(10)
    bench.clock.advance(3600)
    assert client.send(b"x") == b""
    bench.pass_time(7)
    assert client.take() == b""
    bench.pass_time(5)
    assert client.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_an_empty_line_is_no_byte_of_a_request(bench):
    """R45: some clients send one behind a body; that is nothing to answer."""
    bench.answers()
    client = bench.connect()
    client.send(GET + b"\r\n")
    bench.pass_time(70)
    assert (client.closed, client.take()) == (True, b"")


def test_a_body_may_take_long_but_not_stop(bench):
    """Without a rate, too: a minute between two reads is too long."""
    bench.configure(body_min_rate=0)
    client = bench.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    for _ in range(3):
        bench.pass_time(59)
        assert client.send(b"x") == b""
    bench.pass_time(62)
    assert client.take().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.closed
    assert bench.pool.sessions == []


def test_an_app_may_take_as_long_as_it_likes(bench):
    """Its time limit is the pool's business."""
    client = bench.connect()
    client.send(GET)
    bench.pass_time(3600)
    bench.pool.last.responder.answer(b"200 OK\r\n", b"late")
    assert client.take().endswith(b"late")
    assert not client.closed


def test_a_client_that_takes_nothing_is_cut_off(bench):
    """A minute without taking a byte of what waits for it."""
    client = bench.connect()
    client.send(GET)
    client.transport.producer.pauseProducing()
    bench.pool.last.responder.answer(b"200 OK\r\n", b"x" * 1000)
    bench.pass_time(60)
    assert not client.aborted
    bench.pass_time(2)
    assert client.aborted
    assert bench.front.counters.timed_out == 1


def test_a_client_that_takes_everything_in_time_is_not(bench):
    """The deadline ends with the waiting."""
    client = bench.connect()
    client.send(GET)
    client.transport.producer.pauseProducing()
    bench.pool.last.responder.begin(b"200 OK\r\n")
    bench.pass_time(50)
    client.transport.producer.resumeProducing()
    bench.pass_time(500)
    bench.pool.last.responder.finish()
    assert not client.aborted


def test_a_client_that_does_not_go_is_shown_the_door(bench):
    """After the last response there are a few seconds left, over any transport."""
    bench.answers()
    client = bench.connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert (client.closed, client.aborted) == (True, False)
    bench.pass_time(7)
    assert client.aborted


def test_a_machine_that_slept_closes_nobody(bench):
    """An hour that nobody saw pass does not count."""
    bench.answers()
    client = bench.connect()
    client.send(GET)
    bench.pass_time(10)
    bench.clock.advance(3600)
    assert not client.closed
    bench.pass_time(57)
    assert client.closed


def test_the_date_goes_with_the_clock(bench):
    """To the second, though it is made once per tick."""
    bench.answers()
    client = bench.connect()
    assert b"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in client.send(GET)
    bench.pass_time(23)
    assert b"\r\nDate: Sun, 06 Nov 1994 08:50:00 GMT\r\n" in client.send(GET)


class Watched:
    """Something with a deadline."""

    def __init__(self, deadline):
        self.deadline = deadline
        self.passed = 0

    def deadline_passed(self):
        self.passed += 1


def test_the_timer_runs_only_while_something_is_watched(bench):
    """A server without connections does not wake up."""
    ticks = []
    watch = DeadlineWatch(bench.clock, lambda: ticks.append(1))
    assert bench.clock.getDelayedCalls() == []
    one, other = Watched(NEVER), Watched(NEVER)
    watch.add(one)
    watch.add(other)
    assert len(bench.clock.getDelayedCalls()) == 1
    bench.pass_time(3)
    watch.discard(one)
    assert len(bench.clock.getDelayedCalls()) == 1
    watch.discard(other)
    watch.discard(other)
    assert bench.clock.getDelayedCalls() == []
    assert len(ticks) == 4


def test_a_deadline_passes_once(bench):
    """Who wants another sets it."""
    watch = DeadlineWatch(bench.clock, list)
    one = Watched(0.0)
    watch.add(one)
    one.deadline = watch.after(5)
    bench.clock.advance(TICK)
    bench.pass_time(4)
    assert one.passed == 0
    bench.pass_time(20)
    assert one.passed == 1
    watch.discard(one)


def test_a_mistake_with_one_deadline_is_nobody_elses(logged_failures):
    """It is logged, and that connection is asked again; all others have theirs."""
    clock = Clock()
    watch = DeadlineWatch(clock, lambda: None)

    class Watched:
        def __init__(self, mistakes):
            self.mistakes = mistakes
            self.deadline = 5.0
            self.asked = 0

        def deadline_passed(self):
            self.asked += 1
            if self.asked <= self.mistakes:
                raise ArithmeticError("ours")

    bad, good = Watched(1), [Watched(0) for _ in range(20)]
    for one in (bad, *good):
        watch.add(one)
    clock.pump([1.0] * 6)
    assert [one.asked for one in (bad, *good)] == [1] * 21
    assert len(logged_failures.flush(ArithmeticError)) == 1
    clock.pump([1.0] * 12)
    assert (bad.asked, [one.asked for one in good]) == (2, [1] * 20)
    for one in (bad, *good):
        watch.discard(one)
