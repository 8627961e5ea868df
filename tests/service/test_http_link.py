"""Sessions in workers that speak HTTP: through gateway and pool, on real sockets."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import h11
import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from passtwist.api.failures import RequestFailure
from passtwist.api.interfaces import IBodyStream, ITunnelEnd, IWorker
from passtwist.model import ExitStatus
from passtwist.pool import AppRemoved, RequestOverran
from passtwist.service.health import HealthCheck
from passtwist.service.in_flight import InFlight
from passtwist.service.sessions.dying import is_dying
from passtwist.service.sessions.gateway import MAX_ATTEMPTS
from passtwist.service.sessions.http_carrier import DISCARD_SECONDS, HttpCarrier
from passtwist.service.sessions.http_link import AGAIN_SECONDS, IDLE_SECONDS
from passtwist.service.sessions.worker_end import LEAVE_WITHIN
from passtwist.service.tunnels import EVERY, Tunnels

from .conftest import PlainRequest, PlayedWorker, Recorder

PAIRS = [
    *(b"REQUEST_METHOD", b"GET", b"REQUEST_URI", b"/x?y", b"HTTP_HOST", b"h"),
    *(b"REMOTE_ADDR", b"192.0.2.7", b"wsgi.url_scheme", b"http"),
]
HEAD = b"200 OK\r\nContent-Length: 5\r\n"
WHOLE = b"HTTP/1.1 " + HEAD + b"\r\nhello"
ANSWERED = [("answer", HEAD, b"hello")]
SWITCH = b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KILLED = ExitStatus(signal=9)


class HttpWorker(PlayedWorker):
    """Listens; the test accepts, reads HTTP and answers.

    Its pid is ours, so that it is seen to live.
    """

    protocol = "http"
    upgrades = ("websocket",)

    def __init__(self, folder, number, concurrency=1, pid=0):
        super().__init__(folder, concurrency, pid=number)
        self.pid = pid or os.getpid()
        self.scoreboard = None

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        self.connections.append(connection)
        return HttpServed(connection)

    def has_caller(self):
        """Whether a connection waits to be accepted."""
        return bool(select.select([self.listener], [], [], 0)[0])


class HttpServed:
    """One accepted connection, at the worker's end."""

    def __init__(self, connection):
        self.socket = connection
        self.reader = h11.Connection(h11.SERVER)

    def read_request(self, reactor=None):
        """Target and body of a request; *reactor* writes what is left of it."""
        if self.reader.our_state is h11.SEND_RESPONSE:
            self.reader = h11.Connection(h11.SERVER)
        self.headers, body, target = {}, b"", b""
        while True:
            event = self.reader.next_event()
            if event is h11.NEED_DATA:
                if reactor is not None:
                    reactor.settle()
                self.reader.receive_data(self.socket.recv(1 << 20))
            elif isinstance(event, h11.Request):
                target, self.headers = event.target, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage), event
                return target, body

    def has_ended(self):
        """Whether our side has closed it, at least for writing."""
        return self.socket.recv(1) == b""

    def close(self):
        self.socket.close()


@implementer(ITunnelEnd)
class Client:
    """The client's end of a tunnel; notes what it is told."""

    def __init__(self):
        self.received = b""
        self.told = []

    def send(self, data):
        self.received += data

    def end(self):
        self.told.append("end")

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def close(self):
        self.told.append("close")


class Upgrading(Recorder):
    """Takes an upgrade, unless it is told not to."""

    wants = True

    def upgrade(self, head, worker):
        super().upgrade(head, worker)
        self.worker = worker
        self.client = Client() if self.wants else None
        return self.client


class HttpWorld:
    """A world whose workers speak HTTP."""

    def __init__(self, world, folder):
        self.world = world
        self.reactor, self.pool = world.reactor, world.pool
        self.folder = folder
        self.workers = []

    def ask(self, responder=None, **fields):
        recorder = responder or Recorder()
        request = PlainRequest(**{"pairs": PAIRS, **fields})
        session = self.world.gateway.submit("app", request, recorder)
        return session, recorder

    def spawned(self, **fields):
        worker = HttpWorker(self.folder, len(self.workers) + 1, **fields)
        verifyObject(IWorker, worker)
        self.workers.append(worker)
        self.world.app.spawns.pop(0).callback(worker)
        self.reactor.settle()
        return worker

    def states(self):
        """The states of what is in flight, as `passtwist requests` has them."""
        workers = self.world.driver.workers
        page = InFlight(self.pool, {}, workers, self.reactor.seconds).page()
        return [one["state"] for one in page["requests"]]

    def sessions(self):
        """How many sessions each worker has, as status has it."""
        (app,) = self.pool.view().apps
        return [worker.sessions for worker in app.workers]

    def close(self):
        for running in list(self.world.driver.workers.values()):
            if running.link is not None:
                running.link.close()
        for worker in self.workers:
            worker.close()


@pytest.fixture
def make_http(make_world):
    """Make worlds of HTTP; nothing is left of them at the end."""
    with tempfile.TemporaryDirectory(prefix="ptw-") as folder:
        worlds = []

        def make(**limits):
            worlds.append(HttpWorld(make_world(**limits), folder))
            return worlds[-1]

        yield make
        for world in worlds:
            world.close()
            assert world.reactor.readers == []
            assert world.reactor.writers == []


@pytest.fixture
def http(make_http):
    """A world with one worker, and the first request sent to it."""
    world = make_http()
    world.session, world.recorder = world.ask()
    world.worker = world.spawned()
    world.served = world.worker.accept()
    return world


# --- requests ---------------------------------------------------------------------


def test_a_request_goes_out_in_http_and_its_response_comes_back_whole(http):
    """In one call, when it came in one read."""
    assert http.served.read_request() == (b"/x?y", b"")
    assert http.served.headers == {
        b"host": b"h",
        b"x-forwarded-for": b"192.0.2.7",
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"h",
    }
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert http.recorder.calls == ANSWERED
    assert (http.sessions(), http.states()) == ([0], [])
    assert http.session.worker_pid == http.worker.pid


def test_a_connection_is_used_again_and_not_for_ever(http):
    """It is closed before a server would close it for being idle."""
    for _ in range(3):
        http.served.read_request()
        http.served.socket.sendall(WHOLE)
        http.reactor.settle()
        assert http.recorder.calls == ANSWERED
        http.reactor.advance(IDLE_SECONDS * 0.9)
        http.session, http.recorder = http.ask()
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert not http.worker.has_caller()
    http.reactor.advance(IDLE_SECONDS)
    assert http.served.has_ended()
    assert http.reactor.getDelayedCalls() == []


def test_a_connection_that_the_worker_has_closed_is_not_used(http):
    """The request has its first byte on another one."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    http.served.close()
    session, recorder = http.ask()
    served = http.worker.accept()
    served.read_request()
    served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert (recorder.calls, session.attempts) == (ANSWERED, 1)


@pytest.mark.parametrize(
    "rest", [b"HTTP/1.1 200 OK\r\n\r\n", b"x"], ids=["another", "nonsense"]
)
def test_what_is_said_behind_a_response_is_nobodys_answer(http, rest):
    """The next request goes on another connection."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE + rest)
    http.reactor.settle()
    assert http.recorder.calls == ANSWERED
    _, recorder = http.ask()
    served = http.worker.accept()
    served.read_request()
    served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert recorder.calls == ANSWERED


def test_what_is_said_unasked_is_nobodys_answer(http):
    """On a connection that is kept for the next one."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert http.served.has_ended()
    _, recorder = http.ask()
    assert http.worker.accept().read_request() == (b"/x?y", b"")
    assert recorder.calls == []


def test_a_worker_has_as_many_requests_at_a_time_as_it_has_said(make_http):
    """Each on a connection of its own; the others wait in the queue."""
    http = make_http(max_pool_size=1)
    asked = [http.ask() for _ in range(4)]
    worker = http.spawned(concurrency=3)
    served = [worker.accept() for _ in range(3)]
    assert (http.sessions(), worker.has_caller()) == ([3], False)
    served[1].read_request()
    served[1].socket.sendall(WHOLE)
    http.reactor.settle()
    assert served[1].read_request() == (b"/x?y", b"")
    served[1].socket.sendall(WHOLE)
    http.reactor.settle()
    assert [recorder.calls for _, recorder in asked].count(ANSWERED) == 2


@pytest.mark.parametrize("is_spooled", [False, True])
@pytest.mark.parametrize("size", [5, 2_000_000])
def test_a_body_arrives_whole_wherever_it_is(http, is_spooled, size):
    """At the pace of the worker; the file may be closed before it was read."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    body = os.urandom(size)
    pairs = [*PAIRS, b"CONTENT_LENGTH", b"%d" % size, b"CONTENT_TYPE", b"a/b"]
    fields = {"body": body, "pairs": pairs}
    with tempfile.TemporaryFile() as file:
        if is_spooled:
            file.write(body)
            file.flush()
            fields = {"body_file": file.fileno(), "body_length": size, "pairs": pairs}
        _, recorder = http.ask(**fields)
    assert http.served.read_request(http.reactor) == (b"/x?y", body)
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert recorder.calls == ANSWERED


@implementer(IBodyStream)
class Stream:
    """A body that comes when the test says so."""

    def __init__(self):
        self.told = []

    def begin(self, taker):
        self.taker = taker
        self.told.append("begin")

    def proceed(self):
        self.told.append("proceed")

    def leave(self):
        self.told.append("leave")


@pytest.fixture
def upload(http):
    """A world with a connection, and what asks on it with a streamed body."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    http.stream = Stream()

    def ask(length=None):
        pairs = [] if length is None else [b"CONTENT_LENGTH", b"%d" % length]
        http.session, http.recorder = http.ask(
            body_stream=http.stream, pairs=[*PAIRS, *pairs]
        )
        assert http.stream.told == ["begin"]

    http.upload = ask
    return http


@pytest.mark.parametrize("length", [None, 2_000_005])
def test_a_streamed_body_is_sent_as_it_comes(upload, length):
    """With its length, or in chunks; at the pace of the worker."""
    upload.upload(length)
    assert upload.stream.taker.take(b"hello")
    noise = os.urandom(2_000_000)
    assert not upload.stream.taker.take(noise)
    upload.stream.proceed = upload.stream.taker.take_end
    assert upload.served.read_request(upload.reactor) == (b"/x?y", b"hello" + noise)
    upload.served.socket.sendall(WHOLE)
    upload.reactor.settle()
    assert upload.recorder.calls == ANSWERED
    assert upload.stream.told == ["begin", "leave"]
    _, recorder = upload.ask()
    assert upload.served.read_request() == (b"/x?y", b"")
    assert recorder.calls == []


def test_a_worker_that_answers_within_a_streamed_body_gets_no_more_of_it(upload):
    """And nothing else on that connection."""
    upload.upload()
    upload.served.socket.sendall(WHOLE)
    upload.reactor.settle()
    assert upload.recorder.calls == ANSWERED
    assert upload.stream.told == ["begin", "leave"]
    assert not upload.stream.taker.take(b"too late")
    upload.ask()
    assert upload.worker.accept().read_request() == (b"/x?y", b"")


def test_a_streamed_body_that_breaks_off_is_not_complete(upload):
    """The worker sees the end in its middle."""
    upload.upload()
    upload.stream.taker.take(b"hello")
    upload.stream.taker.take_failure()
    with pytest.raises(h11.RemoteProtocolError):
        upload.served.read_request()
    upload.served.close()
    upload.reactor.settle()
    assert (upload.recorder.calls, upload.sessions()) == ([("fail", 502)], [0])


def test_a_client_that_leaves_within_a_streamed_body_frees_the_worker(upload):
    """Which sees the end in its middle, too."""
    upload.upload()
    upload.session.abandon()
    with pytest.raises(h11.RemoteProtocolError):
        upload.served.read_request()
    assert (upload.sessions(), upload.stream.told) == ([0], ["begin", "leave"])


def test_a_response_in_pieces_is_passed_on_in_pieces(http):
    """Early hints, too."""
    http.served.read_request()
    for piece in (
        b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"3\r\none\r\n",
        b"3\r\ntwo\r\n",
        b"0\r\n\r\n",
    ):
        http.served.socket.sendall(piece)
        http.reactor.settle()
    assert http.recorder.calls == [
        ("interim", b"103 Early Hints\r\nLink: </s>\r\n"),
        ("begin", b"200 OK\r\nTransfer-Encoding: chunked\r\n"),
        ("write", b"one"),
        ("write", b"two"),
        ("finish",),
    ]
    assert http.sessions() == [0]


def test_a_client_that_is_too_slow_holds_the_worker(http):
    """Bytes stay in the kernel until it goes on."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE[:-5])
    http.reactor.settle()
    http.session.pause()
    http.served.socket.sendall(b"hello")
    http.reactor.settle()
    assert http.recorder.calls == [("begin", HEAD)]
    http.session.resume()
    http.reactor.settle()
    assert http.recorder.calls[1:] == [("write", b"hello"), ("finish",)]


def test_a_worker_that_answers_before_it_has_read_is_believed(http):
    """The rest of the request goes nowhere, least of all before the next one."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    pairs = [*PAIRS, b"CONTENT_LENGTH", b"9000000"]
    _, recorder = http.ask(body=b"x" * 9_000_000, pairs=pairs)
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert recorder.calls == ANSWERED
    _, recorder = http.ask()
    assert http.worker.accept().read_request() == (b"/x?y", b"")


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 " + SWITCH + b"\r\n",
    ],
)
def test_nonsense_is_502_and_the_end_of_the_connection(http, said):
    """The next request goes on another one."""
    http.served.read_request()
    http.served.socket.sendall(said)
    http.reactor.settle()
    assert http.recorder.calls == [("fail", 502)]
    assert http.sessions() == [0]
    http.ask()
    assert http.worker.accept().read_request() == (b"/x?y", b"")


def test_nonsense_within_a_response_cuts_it_off(http):
    """What was sent is not presented as complete."""
    http.served.read_request()
    http.served.socket.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    http.reactor.settle()
    http.served.socket.sendall(b"oops\r\n")
    http.reactor.settle()
    head = b"200 OK\r\nTransfer-Encoding: chunked\r\n"
    assert http.recorder.calls == [("begin", head), ("write", b"a"), ("fail", 502)]


def test_a_variable_that_would_forge_a_line_is_400(http):
    """And nothing of it is sent."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    _, recorder = http.ask(pairs=[*PAIRS, b"HTTP_A", b"b\r\nEvil: c"])
    http.reactor.settle()
    assert (recorder.calls, http.sessions()) == ([("fail", 400)], [0])


# --- ends -------------------------------------------------------------------------


def test_a_response_that_ends_with_the_connection_is_complete(http):
    """When the worker lives."""
    http.served.read_request()
    http.served.socket.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
    http.served.close()
    http.reactor.settle()
    assert http.recorder.whole() == (b"200 OK\r\n", b"hello")


def test_a_response_that_ends_with_the_worker_is_not_complete(make_http):
    """Nobody knows how much was missing."""
    http = make_http()
    _, recorder = http.ask()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    served = http.spawned(pid=dead.pid).accept()
    served.read_request()
    served.socket.sendall(b"HTTP/1.0 200 OK\r\n\r\nhel")
    served.close()
    http.reactor.settle()
    dead.wait()
    assert recorder.calls[-1] == ("fail", 502)


def test_a_process_is_dying_once_its_descriptors_are_closed():
    """The end of a pipe comes from a process that is on its way out."""
    read, write = os.pipe()
    living = subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=[write])
    os.close(write)
    assert not is_dying(living.pid)
    living.send_signal(signal.SIGKILL)
    assert os.read(read, 1) == b""
    assert is_dying(living.pid)
    os.close(read)
    living.wait()
    assert is_dying(living.pid)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nA: b", WHOLE[:-1]])
def test_a_begun_request_is_never_sent_again(http, sent):
    """One byte of it was written, so it may have done what it does."""
    http.served.read_request()
    http.served.socket.sendall(sent)
    http.served.close()
    http.reactor.settle()
    assert http.recorder.calls[-1] == ("fail", 502)
    assert http.session.attempts == 1
    assert not http.worker.has_caller()
    assert http.sessions() == [0]


@pytest.mark.parametrize("exits_first", [False, True])
def test_the_last_answer_of_a_dead_worker_counts(http, exits_first):
    """Whether its exit is seen before its connection's end or after it."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    if not exits_first:
        http.served.close()
        http.reactor.settle()
    http.worker.exit(KILLED)
    http.reactor.settle()
    assert http.recorder.calls == ANSWERED


def test_a_worker_that_is_gone_is_not_asked(make_http):
    """Nobody listens: another one gets the request, and nobody is told."""
    http = make_http()
    http.ask()
    first = http.spawned(concurrency=2)
    first.accept().read_request()
    first.listener.close()
    os.unlink(first.socket_path)
    session, recorder = http.ask()
    second = http.spawned()
    served = second.accept()
    served.read_request()
    served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert (recorder.calls, session.attempts) == (ANSWERED, 2)


def test_a_worker_whose_process_ends_is_sent_nothing_more(make_http):
    """It could be connected to for another moment."""
    http = make_http()
    http.ask()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    first = http.spawned(pid=dead.pid, concurrency=2)
    first.accept().close()
    http.reactor.settle()
    session, _ = http.ask()
    second = http.spawned()
    assert second.accept().read_request() == (b"/x?y", b"")
    assert (first.has_caller(), session.attempts) == (False, 1)
    dead.wait()


def test_a_request_that_nobody_takes_is_502_in_the_end(make_http, monkeypatch):
    """Out of descriptors, for example; each try is one of a few."""
    http = make_http(max_pool_size=1)
    asked = [http.ask() for _ in range(50)]
    monkeypatch.setattr(HttpCarrier, "__init__", _no_descriptors)
    http.spawned(concurrency=2)
    assert [recorder.calls for _, recorder in asked] == [[("fail", 502)]] * 50
    assert {session.attempts for session, _ in asked} == {MAX_ATTEMPTS}
    assert http.sessions() == [0]


def _no_descriptors(*_):
    raise OSError(24, "Too many open files")


def test_a_worker_that_is_slow_to_accept_is_waited_for(make_http):
    """The kernel keeps so many callers waiting, and no more."""
    http = make_http(max_pool_size=1)
    asked = [http.ask() for _ in range(40)]
    worker = http.spawned(concurrency=40)
    assert "connecting" in http.states()
    served = []
    while http.states():
        while worker.has_caller():
            served.append(worker.accept())
        readable, _, _ = select.select([each.socket for each in served], [], [], 0)
        for each in served:
            if each.socket in readable:
                each.read_request()
                each.socket.sendall(WHOLE)
        http.reactor.settle()
        http.reactor.advance(AGAIN_SECONDS)
    assert [recorder.calls for _, recorder in asked] == [ANSWERED] * 40


def test_a_request_that_takes_too_long_is_cut(http):
    """Its connection is closed, and the worker is going to be ended."""
    http.served.read_request()
    (running,) = http.world.driver.workers.values()
    assert [(one, begun) for one, _, begun in running.link.times()] == [
        (http.session, True)
    ]
    running.link.cut(http.session, RequestFailure(504, "too long"))
    assert http.recorder.calls == [("fail", 504)]
    assert http.served.has_ended()
    assert list(running.link.in_flight()) == []


def test_a_worker_that_is_to_be_ended_gives_back_what_it_was_not_sent(make_http):
    """It waited for a connection; another worker has it."""
    http = make_http()
    asked = [http.ask() for _ in range(40)]
    first = http.spawned(concurrency=40)
    waiting = http.states().count("connecting")
    assert waiting > 0
    link = http.world.driver.workers[1].link
    http.world.gateway.tell(RequestOverran(1))
    link.condemn()
    assert http.states().count("connecting") == 0
    assert http.states().count("retrying") == waiting
    assert len([one for one, _ in asked if one.worker_pid == first.pid]) == 40 - waiting


@pytest.mark.parametrize(
    ("answer", "is_healthy"),
    [(WHOLE, True), (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", False)],
)
def test_its_health_is_asked_for_in_http(reactor, tmp_path, answer, is_healthy):
    """On a connection that is closed afterwards."""
    worker = HttpWorker(str(tmp_path), 1)
    app = SimpleNamespace(name="shop", health_check="/healthz")
    request = PlainRequest(pairs=PAIRS)
    found = []
    check = HealthCheck(reactor, worker, app, 7, lambda app: request)
    check.begin(5.0).addCallbacks(found.append, lambda failure: found.append("bad"))
    served = worker.accept()
    assert served.read_request() == (b"/x?y", b"")
    served.socket.sendall(answer)
    reactor.settle()
    assert found == [None if is_healthy else "bad"]
    assert served.has_ended()
    assert (reactor.readers, reactor.getDelayedCalls()) == ([], [])
    worker.close()


# --- clients that leave -----------------------------------------------------------


def test_a_worker_sees_that_the_client_has_left(http):
    """Its place is taken until it has ended, one way or the other."""
    http.served.read_request()
    http.session.abandon()
    assert http.served.has_ended()
    assert (http.sessions(), http.states()) == ([1], ["abandoned"])
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert (http.sessions(), http.recorder.calls) == ([0], [])
    http.ask()
    assert http.worker.accept().read_request() == (b"/x?y", b"")


def test_a_worker_that_closes_when_the_client_has_left_is_free(http):
    """As servers for asynchronous apps do."""
    http.served.read_request()
    http.session.abandon()
    http.served.close()
    http.reactor.settle()
    assert (http.sessions(), http.recorder.calls) == ([0], [])


def test_a_response_without_an_end_is_ended_when_the_client_has_left(http):
    """After a while."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE[:-5])
    http.reactor.settle()
    http.session.abandon()
    http.reactor.advance(DISCARD_SECONDS)
    assert http.sessions() == [0]
    assert http.reactor.getDelayedCalls() == []


def test_a_body_that_was_not_sent_whole_is_dropped_with_its_client(http):
    """The worker sees that it is not whole."""
    http.served.read_request()
    http.served.socket.sendall(WHOLE)
    http.reactor.settle()
    pairs = [*PAIRS, b"CONTENT_LENGTH", b"9000000"]
    session, recorder = http.ask(body=b"x" * 9_000_000, pairs=pairs)
    session.abandon()
    while http.served.socket.recv(1 << 20):
        pass
    assert (http.sessions(), recorder.calls) == ([0], [])


# --- tunnels ----------------------------------------------------------------------


@pytest.fixture
def tunnel(make_http):
    """A world with one request upgraded."""
    http = make_http()
    http.session, http.recorder = http.ask(Upgrading(), upgrade=(b"x", b"websocket"))
    http.worker = http.spawned()
    http.served = http.worker.accept()
    http.served.read_request()
    http.served.socket.sendall(b"HTTP/1.1 " + SWITCH + b"\r\nfirst")
    http.reactor.settle()
    http.client = http.recorder.client
    return http


def test_an_upgrade_is_offered_to_a_worker_that_takes_it(tunnel):
    """Bytes go both ways then, and it is a session as long as it lasts."""
    assert tunnel.served.headers[b"upgrade"] == b"websocket"
    assert tunnel.served.headers[b"connection"] == b"Upgrade"
    assert tunnel.recorder.calls == [("upgrade", SWITCH)]
    assert (tunnel.sessions(), tunnel.states()) == ([1], ["upgraded"])
    tunnel.recorder.worker.send(b"hello")
    assert tunnel.served.socket.recv(100) == b"hello"
    tunnel.served.socket.sendall(b" second")
    tunnel.reactor.settle()
    assert tunnel.client.received == b"first second"
    tunnel.served.close()
    tunnel.reactor.settle()
    assert (tunnel.client.told, tunnel.sessions()) == (["close"], [0])
    assert (tunnel.session.ended, tunnel.states()) == (True, [])


def test_an_upgrade_is_not_offered_to_a_worker_that_does_not_take_it(make_http):
    """It gets an ordinary request."""
    http = make_http()
    _, recorder = http.ask(Upgrading(), upgrade=(b"x",))
    served = http.spawned().accept()
    served.read_request()
    assert b"upgrade" not in served.headers
    assert b"connection" not in served.headers
    served.socket.sendall(WHOLE)
    http.reactor.settle()
    assert recorder.calls == ANSWERED


def test_an_upgrade_that_the_worker_refuses_is_an_ordinary_response(make_http):
    """With whatever status."""
    http = make_http()
    _, recorder = http.ask(Upgrading(), upgrade=(b"websocket",))
    served = http.spawned().accept()
    served.read_request()
    served.socket.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    http.reactor.settle()
    assert recorder.calls == [
        ("answer", b"403 Forbidden\r\nContent-Length: 0\r\n", b"")
    ]


def test_an_upgrade_that_nobody_wants_any_more_is_closed(make_http):
    """The client has left, or what the app has said can't be passed on."""
    http = make_http()
    responder = Upgrading()
    responder.wants = False
    http.ask(responder, upgrade=(b"websocket",))
    served = http.spawned().accept()
    served.read_request()
    served.socket.sendall(b"HTTP/1.1 " + SWITCH + b"\r\n")
    http.reactor.settle()
    assert (served.has_ended(), http.sessions()) == (True, [0])


def test_a_client_that_leaves_a_tunnel_closes_it(tunnel):
    """And the worker's place is free at once."""
    tunnel.session.abandon()
    assert (tunnel.served.has_ended(), tunnel.sessions()) == (True, [0])
    assert tunnel.client.told == []


@pytest.mark.parametrize("exits_first", [False, True])
def test_a_tunnel_ends_with_its_worker(tunnel, exits_first):
    """What it had sent is still delivered."""
    tunnel.served.socket.sendall(b" last")
    if not exits_first:
        tunnel.served.close()
        tunnel.reactor.settle()
    tunnel.worker.exit(KILLED)
    tunnel.reactor.settle()
    assert (tunnel.client.received, tunnel.client.told) == (b"first last", ["close"])


def test_a_tunnel_is_no_request_that_could_take_too_long(tunnel):
    """`max_request_time` looks at requests."""
    (running,) = tunnel.world.driver.workers.values()
    assert list(running.link.times()) == []


def test_the_tunnels_of_a_worker_that_is_to_leave_are_ended(tunnel):
    """Nobody else would; a worker that stays keeps its own."""
    workers = tunnel.world.driver.workers
    tunnels = Tunnels(tunnel.reactor, tunnel.pool, workers)
    tunnels.start()
    tunnel.reactor.advance(EVERY)
    assert tunnel.client.told == []
    tunnel.world.gateway.tell(AppRemoved("app"))
    tunnel.reactor.advance(EVERY)
    assert tunnel.served.has_ended()
    tunnel.served.socket.sendall(b" goodbye")
    tunnel.reactor.settle()
    tunnel.reactor.advance(LEAVE_WITHIN)
    assert (tunnel.client.received, tunnel.client.told) == (
        b"first goodbye",
        ["close"],
    )
    assert tunnel.worker.asked == ["terminate"]
    tunnels.stop()


def test_a_connection_that_nobody_watches_any_more_is_closed(http):
    """Taking its response has failed; its place is free for the next request."""
    http.served.read_request()
    ((carrier, _),) = http.world.driver.workers[1].link.running.items()
    carrier.unwatch()
    carrier.connectionLost(Failure(ConnectionDone()))
    assert http.recorder.calls == [("fail", 502)]
    assert http.served.has_ended()
    assert (http.sessions(), http.states()) == ([0], [])
