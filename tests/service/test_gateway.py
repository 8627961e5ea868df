"""Requests through the real pool to played workers."""

from __future__ import annotations

from passtwist.errors import SpawnError
from passtwist.model import APP_ERROR, LAYER_DIED, ExitStatus
from passtwist.pool import ShutdownRequested, StopRequested
from passtwist.service.driver import DIE_WITHIN, LEAVE_WITHIN
from passtwist.service.sessions.gateway import MAX_ATTEMPTS
from passtwist.wire.session import encode_body, encode_response_start

HEAD = b"200 OK\r\n"
WHOLE = encode_response_start(HEAD) + encode_body(b"hello", last=True)


def test_the_first_request_starts_a_worker_and_gets_it(make_world, reactor):
    """On demand: nothing runs before, and the request waits for its worker."""
    world = make_world()
    assert world.app.spawns == []
    session, recorder = world.ask()
    assert len(world.app.spawns) == 1
    reactor.advance(3)
    _, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    assert recorder.calls == [("answer", HEAD, b"hello")]
    assert (session.queued_at, session.started_at) == (0.0, 3.0)
    assert (session.worker_pid, session.spawn_method) == (4711, "played")


def test_a_free_worker_gets_the_request_in_the_same_call(make_world, reactor):
    """Nothing waits when nothing has to."""
    world = make_world()
    _, (served,) = world.spawned() if world.ask() else None
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    session, _ = world.ask()
    assert session.started_at == session.queued_at
    assert session.worker_pid == 4711


def test_a_failed_spawn_answers_those_who_wait(make_world):
    """With no live worker all waiters get the error, and status knows it."""
    world = make_world()
    _, recorder = world.ask()
    error = SpawnError(APP_ERROR, "app app: no module")
    world.app.spawns.pop(0).errback(error)
    assert recorder.calls == [("fail", 500)]
    assert world.app.last_spawn_error is error
    assert world.driver.workers == {}
    _, recorder = world.ask()
    assert recorder.calls == [("fail", 503)], "in back-off it answers at once"


def test_a_death_in_the_spawn_server_is_no_failure_of_the_app(make_world, reactor):
    """The spawn is made again, and who waits sees nothing of it."""
    world = make_world()
    _, recorder = world.ask()
    world.app.spawns.pop(0).errback(SpawnError(LAYER_DIED, "app app: killed"))
    assert recorder.calls == []
    _, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    assert recorder.calls == [("answer", HEAD, b"hello")]
    assert world.app.last_spawn_error is None


def test_a_worker_that_can_not_be_connected_to_is_a_failed_spawn(make_world):
    """Ready, but it left before its connections were: killed, and answered."""
    world = make_world()
    _, recorder = world.ask()
    worker = world.make_worker()
    worker.close()
    world.app.spawns.pop(0).callback(worker)
    assert worker.asked == ["kill"]
    assert recorder.calls == [("fail", 500)]


def test_a_worker_that_exits_while_it_is_connected_to_is_a_failed_spawn(make_world):
    """It said that it was ready, and was gone before its READY."""
    world = make_world()
    _, recorder = world.ask()
    worker = world.make_worker()
    world.app.spawns.pop(0).callback(worker)
    worker.exit(ExitStatus(signal=11))
    world.reactor.settle()
    assert recorder.calls[-1][0] == "fail"
    assert "the worker exited" in str(world.app.last_spawn_error)
    assert world.gateway.links == {}
    assert world.driver.workers == {}


def test_a_request_that_was_not_begun_goes_to_another_worker(make_world, reactor):
    """Whatever its method; its client sees nothing of it."""
    world = make_world()
    session, recorder = world.ask(body=b"x=1")
    worker, (served,) = world.spawned()
    served.read_request(begin=False)
    worker.close()
    reactor.settle()
    assert recorder.calls == []
    assert worker.asked == []
    worker.exit(ExitStatus(signal=9))
    _, (served,) = world.spawned()
    assert served.read_request()[1] == b"x=1"
    served.send(WHOLE)
    reactor.settle()
    assert recorder.calls == [("answer", HEAD, b"hello")]
    assert session.attempts == 2
    assert world.gateway.retried == 1


def test_a_worker_that_closed_its_socket_is_killed_unless_it_dies_by_itself(
    make_world, reactor
):
    """It most likely does, and then its death was not our doing.

    If it lives on, it gets the chance to leave in peace.
    """
    world = make_world()
    world.ask()
    worker, (served,) = world.spawned()
    served.read_request(begin=False)
    worker.close()
    reactor.settle()
    assert worker.asked == []
    reactor.advance(DIE_WITHIN)
    assert worker.asked == ["terminate"]
    reactor.advance(LEAVE_WITHIN)
    assert worker.asked == ["terminate", "kill"]
    worker.exit(ExitStatus(signal=9))
    assert reactor.getDelayedCalls() == []


def test_a_request_is_given_to_three_workers_at_most(make_world, reactor):
    """It may be the request that kills them."""
    world = make_world()
    session, recorder = world.ask()
    for _ in range(MAX_ATTEMPTS):
        worker, (served,) = world.spawned()
        served.read_request(begin=False)
        worker.close()
        reactor.settle()
        worker.exit(ExitStatus(signal=11))
    assert recorder.calls == [("fail", 502)]
    assert session.attempts == MAX_ATTEMPTS


def test_a_dead_worker_is_replaced(make_world, reactor):
    """min_instances is kept, also after a crash."""
    world = make_world()
    world.ask()
    worker, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    worker.exit(ExitStatus(signal=9))
    reactor.settle()
    assert world.states() == ["starting"]
    assert len(world.app.spawns) == 1


def test_a_waiting_client_that_leaves_reaches_no_worker(make_world, reactor):
    """It is taken out of the queue."""
    world = make_world()
    first, _ = world.ask()
    second, recorder = world.ask()
    second.abandon()
    _, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    assert first.ended
    assert recorder.calls == []
    assert world.states() == ["idle"]


def test_threads_share_one_worker(make_world, reactor):
    """A worker with two connections carries two sessions at a time."""
    world = make_world(concurrency=2, max_pool_size=1)
    _, one = world.ask()
    _, two = world.ask()
    _, served = world.spawned(concurrency=2)
    for connection in served:
        connection.read_request()
        connection.send(WHOLE)
    reactor.settle()
    assert one.calls == two.calls == [("answer", HEAD, b"hello")]


def test_shutdown_asks_workers_to_leave_and_kills_those_who_do_not(make_world, reactor):
    """Their connections are closed, TERM is sent, and KILL after a while."""
    world = make_world()
    world.ask()
    worker, (served,) = world.spawned()
    served.read_request()
    served.send(WHOLE)
    reactor.settle()
    gone = []
    world.driver.when_all_gone().addCallback(gone.append)
    world.gateway.tell(ShutdownRequested())
    assert worker.asked == ["terminate"]
    assert served.socket.recv(10) == b""
    reactor.advance(LEAVE_WITHIN)
    assert worker.asked == ["terminate", "kill"]
    assert gone == []
    worker.exit(ExitStatus(signal=9))
    assert gone == [None]


def test_stop_cancels_spawns_and_kills_workers(make_world, reactor):
    """Nothing is waited for any more."""
    world = make_world()
    _, recorder = world.ask()
    world.spawned()
    world.ask()  # wants a second worker
    worker = next(iter(world.driver.workers.values())).worker
    world.gateway.tell(StopRequested())
    assert worker.asked == ["kill"]
    assert world.app.cancelled == 1
    worker.exit(ExitStatus(signal=9))
    # It had not been begun, and there is nobody left to give it to.
    assert recorder.calls == [("fail", 503)]
    assert world.driver.workers == {}
