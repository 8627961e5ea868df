"""Connections that are to end, by doors or all, and settings that change."""

from __future__ import annotations

from passtwist.http.config import FrontEndConfig, HttpLimits, Site

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"\r\nConnection: close\r\n"


def test_draining_ends_idle_connections_and_lets_others_finish(bench):
    """No request is lost; the Deferred fires with the last connection."""
    bench.answers()
    idle, busy, fresh = bench.connect(), bench.connect(), bench.connect()
    idle.send(GET)
    bench.pool._answer = None
    busy.send(GET)
    drained = []
    bench.front.drain().addCallback(drained.append)
    assert (idle.closed, busy.closed, fresh.closed) == (True, False, False)
    bench.pool.last.responder.answer(b"200 OK\r\n", b"")
    assert b"\r\nConnection: close\r\n" in busy.take()
    assert busy.closed
    bench.pass_time(3)
    assert fresh.closed
    for client in (idle, busy, fresh):
        assert drained == []
        client.leave()
    assert drained == [None]


def test_draining_nothing_is_done_at_once(bench):
    """No connection, nothing to wait for."""
    drained = []
    bench.front.drain().addCallback(drained.append)
    assert drained == [None]


def test_connections_can_be_ended_at_once(bench):
    """Whatever they are at."""
    client = bench.connect()
    client.send(GET)
    bench.front.abort_connections()
    assert client.aborted
    assert bench.pool.last.calls == ["abandon"]


def test_it_says_how_many_requests_were_cut_off(bench):
    """Of a connection that waits, or has no whole head yet, none."""
    bench.answers()
    bench.connect().send(GET)
    bench.connect().send(GET[:10])
    bench.pool._answer = None
    bench.connect().send(GET)
    bench.connect().send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
    assert bench.front.abort_connections() == 2


def test_clients_can_be_sent_away_for_a_time(bench):
    """Each answer ends its connection, and none is ended otherwise."""
    bench.answers()
    early, idle = bench.connect(), bench.connect()
    idle.send(GET)
    bench.front.keep_connections(False)
    late = bench.connect()
    for client in (early, late):
        assert CLOSE in client.send(GET)
        assert client.closed
    assert not idle.closed
    bench.front.keep_connections(True)
    for client in (idle, bench.connect()):
        assert CLOSE not in client.send(GET)
        assert not client.closed


def test_an_answer_under_way_when_clients_are_sent_away_keeps_its_word(bench):
    """It had said that another request may follow."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\n")
    bench.front.keep_connections(False)
    responder.finish()
    assert not client.closed
    bench.answers()
    assert CLOSE in client.send(GET)


def test_a_door_is_closed_for_its_own_connections_only(bench):
    """Idle ones end at once, others with their request."""
    door, other = bench.front.open_door(), bench.front.open_door()
    bench.answers()
    idle, busy, elsewhere = (bench.connect(by=one) for one in (door, door, other))
    for client in (idle, elsewhere):
        client.send(GET)
    bench.pool._answer = None
    busy.send(GET)
    door.close()
    assert (idle.closed, busy.closed, elsewhere.closed) == (True, False, False)
    bench.pool.last.responder.answer(b"200 OK\r\n", b"")
    assert CLOSE in busy.take()
    bench.answers()
    assert CLOSE not in elsewhere.send(GET)


def test_a_closed_door_stays_closed(bench):
    """Whatever becomes of the others: who still comes by it gets one answer."""
    door = bench.front.open_door()
    door.close()
    bench.front.keep_connections(True)
    bench.answers()
    assert CLOSE in bench.connect(by=door).send(GET)


def test_doors_are_opened_as_things_stand(bench):
    """While clients are sent away, by new doors too."""
    bench.answers()
    bench.front.keep_connections(False)
    door = bench.front.open_door()
    assert CLOSE in bench.connect(by=door).send(GET)
    bench.front.keep_connections(True)
    assert CLOSE not in bench.connect(by=door).send(GET)
    bench.front.drain()
    assert CLOSE in bench.connect(by=bench.front.open_door()).send(GET)


def test_new_sites_count_from_the_next_request_on(bench):
    """Also on connections that exist; a request under way is its old app's."""
    client = bench.connect()
    client.send(GET)
    bench.front.prepare([Site("blog")], FrontEndConfig())()
    bench.pool.last.responder.answer(b"200 OK\r\n", b"")
    client.send(GET)
    assert [session.app for session in bench.pool.sessions] == ["shop", "blog"]


def test_nothing_changes_before_the_switch(bench):
    """What was prepared may never be wanted."""
    client = bench.connect()
    bench.front.prepare([Site("blog")], FrontEndConfig())
    client.send(GET)
    assert bench.pool.last.app == "shop"


def test_new_limits_hold_for_new_connections(bench):
    """And those of heads, whose scanner is everybody's, for the next request."""
    bench.answers()
    old = bench.connect()
    limits = HttpLimits(requests_per_connection=1, max_header_field=20)
    bench.front.prepare([Site("shop")], FrontEndConfig(limits=limits))()
    assert CLOSE not in old.send(GET)
    assert CLOSE in bench.connect().send(GET)
    long = GET[:-2] + b"X-Long: " + b"x" * 30 + b"\r\n\r\n"
    assert old.send(long).startswith(b"HTTP/1.1 431 ")


def test_a_trusted_proxy_is_trusted_on_connections_made_afterwards(bench):
    forwarded = GET[:-2] + b"X-Forwarded-For: 203.0.113.9\r\n\r\n"
    bench.answers()
    old = bench.connect()
    old.send(forwarded)
    config = FrontEndConfig(trusted_proxies=("192.0.2.0/24",))
    bench.front.prepare([Site("shop")], config)()
    for client, address in ((old, "192.0.2.7"), (bench.connect(), "203.0.113.9")):
        client.send(forwarded)
        assert bench.pool.last.environ["REMOTE_ADDR"] == address
