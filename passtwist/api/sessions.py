"""The interfaces between front end and pool: requests in, responses out.

Runs in: the controller.  Import them from `passtwist.api.interfaces`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.api.failures import RequestFailure


class IBodyTaker(Interface):
    """Where a streamed body goes: to a worker."""

    def take(data: bytes) -> bool:
        """A piece of it; False: no more before `IBodyStream.proceed`."""

    def take_end() -> None:
        """It is complete."""

    def take_failure() -> None:
        """There will be no more of it, though it is not complete."""


class IBodyStream(Interface):
    """The body of a request that a worker gets before it has come whole."""

    def begin(taker: IBodyTaker) -> None:
        """The app wants it: give *taker* what is there, and then what comes.

        Only once, as nothing of it is kept; so who began it can't be retried.
        """

    def proceed() -> None:
        """The taker has room again."""

    def leave() -> None:
        """Nobody wants the rest, and the taker is not called any more."""


class IRequest(Interface):
    """One request whose head, and body unless it is streamed, have arrived whole
    and are accepted."""

    pairs: Sequence[bytes] = Attribute(
        "CGI variables, latin-1, keys and values in turn: [k1, v1, k2, v2].  "
        "No NUL in any of them."
    )
    body: bytes = Attribute("The body, when it was small enough for memory, else b''.")
    body_file: int | None = Attribute(
        "Descriptor of the unlinked file that holds the body, or None.  The "
        "responder owns and closes it once the session has ended."
    )
    body_length: int = Attribute("Length of the body in bytes, wherever it is.")
    body_stream: IBodyStream | None = Attribute(
        "The body, when it is handed on as it comes (`buffer_requests = false`), and "
        "then `body_length` is what has come; else None."
    )
    method: bytes = Attribute("The request method, for status and logs.")
    path: bytes = Attribute("The request target as it came, for status and logs.")
    upgrade: Sequence[bytes] = Attribute(
        "Protocols that the client would like to go over to, in lower case, the "
        "one it likes best first.  A worker that takes none of them never hears of it."
    )


class IResponder(Interface):
    """Takes one response, piece by piece, from a session.

    Either `answer` alone, or `begin`, any number of `write`, and `finish`; or
    `fail` in place of what is missing.  After `answer`, `finish` or `fail`
    nothing more is called.  Calls never raise: a client that is gone is the
    responder's to deal with (it calls `ISession.abandon`).
    """

    def answer(head: bytes, body: bytes) -> None:
        """The whole response at once: the fast path."""

    def begin(head: bytes) -> None:
        r"""Status and headers, unchecked: ``b"200 OK\r\nA: b\r\n"``."""

    def write(data: bytes | memoryview) -> None:
        """A piece of the body.

        A memoryview is good only until this returns: what is read next goes
        into the same memory.
        """

    def finish() -> None:
        """The body is complete."""

    def interim(head: bytes) -> None:
        """A 103 response before the final one, unchecked."""

    def upgrade(head: bytes, worker: ITunnelEnd) -> ITunnelEnd | None:
        """Status 101: from now on the connection is a tunnel.

        In place of a response, and the last call: what the worker sends, and
        that it has ended, is told to the end that this answers with.

        :param head: as that of `begin`.
        :param worker: takes what the client sends, at once.
        :returns: None when there is nobody to talk to.
        """

    def fail(failure: RequestFailure) -> None:
        """There will be no (complete) response.

        Before `begin` the responder answers with an error page of the
        failure's status; after it, it ends the client's connection so that
        what was sent can't be taken for complete.
        """


class ITunnelEnd(Interface):
    """One end of an upgraded connection, as the other end sees it.

    Bytes go both ways, as they come.  Calls never raise; those to an end that
    is closed do nothing.
    """

    def send(data: bytes) -> None:
        """Send *data*; when it has to wait, `pause` of the other end is called."""

    def end() -> None:
        """The other end sends no more; it still takes what is sent to it."""

    def pause() -> None:
        """The other end is too slow: send it no more for now."""

    def resume() -> None:
        """Go on after `pause`."""

    def close() -> None:
        """The other end is gone.  What was sent before is still delivered."""


class ISession(Interface):
    """One request on its way: queued, then in a worker."""

    worker_pid: int = Attribute("Pid of the worker that has it, 0 while queued.")
    worker: int = Attribute("WorkerId of that worker, 0 while queued.")
    spawn_method: str = Attribute("How that worker was spawned, '' while queued.")
    attempts: int = Attribute("How many workers it was given to.")
    queued_at: float = Attribute("Monotonic seconds at which it was submitted.")
    started_at: float = Attribute("Monotonic seconds when a worker got it, or 0.")

    def abandon() -> None:
        """The client is gone.

        Queued: leaves the queue and never starts.  Running: what still comes
        is discarded; the worker stays busy until it has finished.  Harmless
        when the session has ended.  The responder is not called any more.
        """

    def pause() -> None:
        """Take no more from the worker for now: the client is too slow."""

    def resume() -> None:
        """Go on after `pause`."""


class IPool(Interface):
    """The pool as the front end sees it."""

    def submit(app: str, request: IRequest, responder: IResponder) -> ISession:
        """Give *request* to a worker of *app*, now or when one is free.

        The responder may be called before this returns.

        :raises KeyError: no such app; the router only knows existing ones.
        """
