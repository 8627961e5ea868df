"""The health check of a new worker: real sockets, a played worker."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.python.failure import Failure

from passtwist.errors import SpawnError
from passtwist.http.refusal import Refusal
from passtwist.model import HEALTH_CHECK, Step
from passtwist.service.health import KEPT, HealthCheck
from passtwist.wire.frames import encode_frame
from passtwist.wire.session import (
    INTERIM,
    encode_body,
    encode_response_start,
)

from .conftest import PlainRequest

APP = SimpleNamespace(name="shop", health_check="/healthz")
WHAT = "app shop: its health check /healthz "


@pytest.fixture
def check(reactor, make_worker):
    """Begin one; answers with the worker and what came of it, a list."""

    def check(make_request=lambda app: PlainRequest(), patience=5.0):
        worker = make_worker()
        found = []
        checking = HealthCheck(reactor, worker, APP, 7, make_request)
        checking.begin(patience).addBoth(found.append)
        return worker, found

    return check


def answer(head, body=b""):
    return encode_response_start(head) + encode_body(body, last=True)


def answered(reactor, worker, *data):
    """The worker takes the connection and the request, and answers."""
    served = worker.accept()
    reactor.settle()
    served.read_request()
    for piece in data:
        served.send(piece)
        reactor.settle()
    return served


def error_of(found):
    [failure] = found
    assert isinstance(failure, Failure)
    assert isinstance(failure.value, SpawnError)
    return failure.value


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"302 Found"])
def test_a_good_answer_passes(reactor, check, status):
    """And the connection is closed, so that the worker has its place for others."""
    worker, found = check()
    served = answered(reactor, worker, answer(status + b"\r\n", b"fine"))
    assert found == [None]
    assert served.socket.recv(1) == b""
    assert (reactor.readers, reactor.getDelayedCalls()) == ([], [])


def test_an_answer_in_pieces_passes_with_the_last(reactor, check):
    """Early hints are no answer."""
    worker, found = check()
    answered(
        reactor,
        worker,
        encode_frame(INTERIM, b"103 Early Hints\r\n"),
        encode_response_start(b"200 OK\r\n"),
        encode_body(b"a"),
    )
    assert found == []
    worker.connections[0].sendall(encode_body(b"b", last=True))
    reactor.settle()
    assert found == [None]


@pytest.mark.parametrize("status", [b"500 Oh", b"404 Not Found", b"100 Continue"])
def test_a_bad_status_fails(reactor, check, status):
    """Status and the beginning of the body are told."""
    worker, found = check()
    body = b"no database\n" * 1000
    answered(reactor, worker, answer(status + b"\r\nA: b\r\n", body))
    error = error_of(found)
    assert error.category == HEALTH_CHECK
    assert error.summary == f"{WHAT}was answered '{status.decode()}'"
    assert error.detail.startswith(f"{status.decode()}\r\nA: b\r\n\r\nno database\n")
    assert len(error.detail) < KEPT + 100
    assert "2xx or 3xx" in error.advice
    step = error.journey[-1]
    assert isinstance(step, Step)
    assert (step.who, step.name, step.state) == ("controller", "check_health", "failed")


def test_what_is_no_status_fails(reactor, check):
    worker, found = check()
    answered(reactor, worker, answer(b"OK\r\n"))
    assert error_of(found).summary == f"{WHAT}was answered by what has no status"


def test_no_answer_in_time_fails(reactor, check):
    """The worker is somebody else's to end."""
    worker, found = check(patience=3.0)
    answered(reactor, worker)
    reactor.advance(2.9)
    assert found == []
    reactor.advance(0.1)
    assert error_of(found).summary == f"{WHAT}was not answered within 3.0 s"
    assert (reactor.readers, worker.asked) == ([], [])


def test_a_worker_that_dies_fails(reactor, check):
    """Before it took the request, in the middle, or without a word."""
    for steps in range(2):
        worker, found = check()
        served = worker.accept()
        reactor.settle()
        if steps:
            served.read_request()
        served.close()
        reactor.settle()
        summary = error_of(found).summary
        assert summary == f"{WHAT}was not answered: the worker closed the connection"
        assert reactor.getDelayedCalls() == []


def test_half_an_answer_fails(reactor, check):
    worker, found = check()
    served = answered(reactor, worker, encode_response_start(b"200 OK\r\n"))
    served.close()
    reactor.settle()
    assert "the worker died during its response" in error_of(found).summary


def test_a_worker_that_does_not_listen_fails(reactor, make_worker):
    worker = make_worker()
    worker.close()
    found = []
    checking = HealthCheck(reactor, worker, APP, 7, lambda app: PlainRequest())
    checking.begin(5.0).addBoth(found.append)
    assert f"{WHAT}could not be asked for: " in error_of(found).summary


def test_what_no_client_could_ask_for_fails(check):
    """The path of the setting, say."""

    def refuse(app):
        raise Refusal(400, "no path")

    _, found = check(refuse)
    assert error_of(found).summary == f"{WHAT}could not be asked for: 400: no path"


def test_the_session_has_its_own_number(reactor, check):
    """On the scoreboard it can't be taken for a visitor's."""
    worker, _ = check()
    answered(reactor, worker, answer(b"200 OK\r\n"))
    assert 7 in worker.scoreboard.tolist()
