"""Too many clients: who goes, who stays, and who has to wait."""

from __future__ import annotations

import resource

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def come(bench, count):
    """So many clients, each with an answered request, a second apart."""
    clients = []
    for _ in range(count):
        clients.append(bench.connect())
        clients[-1].send(GET)
        bench.pass_time(1)
    return clients


def closed(clients):
    return [client.closed for client in clients]


def end(client):
    """The transport of tests does not tell by itself that it was closed."""
    client.leave()


def test_there_is_room_for_as_many_as_are_allowed(bench):
    """Counted with each that comes, and with each that goes."""
    bench.configure(max_connections=3)
    door = bench.front.open_door()
    assert door.room() == 3
    clients = [bench.connect(by=door) for _ in range(2)]
    assert door.room() == 1
    clients[0].leave()
    assert door.room() == 2


def test_without_a_limit_most_of_the_descriptors_are_for_clients(bench):
    """Four fifths; the rest is for files and workers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert bench.front.crowd.limit == soft * 4 // 5


def test_the_most_idle_one_gives_way(bench):
    """Not who came first, but who was served the longest ago."""
    bench.configure(max_connections=3)
    bench.answers()
    first, second, third = come(bench, 3)
    first.send(GET)
    assert bench.front.crowd.room() == 1
    assert closed([first, second, third]) == [False, True, False]
    assert bench.front.counters.gave_way == 1


def test_who_is_at_a_request_stays(bench):
    """Whoever is idle goes first, then whoever does not say what it wants."""
    bench.configure(max_connections=4)
    silent, dripping = bench.connect(), bench.connect()
    dripping.send(GET[:5])
    bench.pass_time(5)
    busy = bench.connect()
    busy.send(GET)
    bench.answers()
    (idle,) = come(bench, 1)
    goes = []
    for _ in range(3):
        assert bench.front.crowd.room() == 1
        goes.append(closed([busy, idle, silent, dripping]))
        bench.connect()
    assert goes == [
        [False, True, False, False],
        [False, True, True, False],
        [False, True, True, True],
    ]
    assert bench.front.crowd.room() == 0


def test_who_has_just_come_has_a_moment_to_say_what_it_wants(bench):
    """Two seconds, in which others have to wait."""
    bench.configure(max_connections=1)
    client = bench.connect()
    bench.pass_time(1)
    assert bench.front.crowd.room() == 0
    bench.pass_time(3)
    assert bench.front.crowd.room() == 1
    assert client.closed


def test_a_good_number_goes_at_once(bench):
    """Looking for them costs a look at all."""
    bench.configure(max_connections=64)
    bench.answers()
    clients = come(bench, 64)
    assert bench.front.crowd.room() == 3
    assert closed(clients) == [True] * 3 + [False] * 61


def test_who_waits_comes_in_when_somebody_has_left(bench):
    """And not before."""
    bench.configure(max_connections=1)
    busy = bench.connect()
    busy.send(GET)
    came = []
    door = bench.front.crowd
    assert door.room() == 0
    door.wait_for_room(lambda: came.append(door.room()))
    bench.pass_time(5)
    assert came == []
    busy.leave()
    assert came == [1]
    assert bench.front.counters.times_full == 1


def test_a_full_server_keeps_no_connection(bench):
    """Each response makes room for who waits; when nobody does, they are kept again."""
    bench.configure(max_connections=2)
    first, second = bench.connect(), bench.connect()
    first.send(GET)
    second.send(GET)
    came = []
    bench.front.crowd.wait_for_room(lambda: came.append(True))
    bench.pool.sessions[0].responder.answer(b"200 OK\r\n", b"1")
    assert b"\r\nConnection: close\r\n" in first.take()
    assert first.closed
    end(first)
    assert came == [True]
    bench.pool.sessions[1].responder.answer(b"200 OK\r\n", b"2")
    assert b"\r\nConnection: close\r\n" not in second.take()


def test_a_drained_server_keeps_none_however_many_leave(bench):
    """Being full ends, being drained does not."""
    bench.configure(max_connections=1)
    bench.front.keep_connections(False)
    client = bench.connect()
    client.send(GET)
    bench.front.crowd.wait_for_room(list)
    end(client)
    assert not bench.front.crowd.is_full
    bench.answers()
    assert b"\r\nConnection: close\r\n" in bench.connect().send(GET)


def test_who_becomes_idle_while_others_wait_gives_way(bench):
    """Seen within a second: its response had promised to keep the connection."""
    bench.configure(max_connections=1)
    client = bench.connect()
    client.send(GET)
    client.transport.producer.pauseProducing()
    bench.pool.last.responder.answer(b"200 OK\r\n", b"x" * 1000)
    came = []
    bench.front.crowd.wait_for_room(lambda: came.append(True))
    client.transport.producer.resumeProducing()
    assert not client.closed
    bench.pass_time(1)
    assert client.closed
    assert came == [True]


def test_who_is_not_found_is_looked_for_once_in_a_while(bench):
    """Not with each that leaves, and again with each that comes for it."""
    bench.configure(max_connections=2)
    clients = [bench.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)
    assert bench.front.crowd.room() == 0
    bench.pool.last.responder.answer(b"200 OK\r\n", b"hello")
    assert (bench.front.crowd.room(), closed(clients)) == (0, [False, False])
    bench.pass_time(1)
    assert (bench.front.crowd.room(), closed(clients)) == (1, [False, True])
