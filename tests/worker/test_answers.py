"""How a WSGI app's answer becomes frames."""

from __future__ import annotations

import sys

import pytest

from passtwist.wire.frames import MAX_SESSION_PAYLOAD
from passtwist.wire.session import BODY, END, FAIL, INTERIM, LAST, START
from passtwist.worker import answers, wsgi
from passtwist.worker.answers import JOIN_LIMIT
from passtwist.worker.wsgi import WsgiHalf

HTML = [("Content-Type", "text/html")]
SORRY = (
    START,
    0,
    b"500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n%s"
    % b"Content-Length: 22\r\n",
)
SORRY_BODY = (BODY, LAST, b"Internal Server Error\n")


def app_giving(result, status="200 OK", headers=HTML):
    """An app that returns *result*."""

    def app(environ, start_response):
        start_response(status, headers)
        return result

    return app


def head(*lines):
    return "".join(line + "\r\n" for line in ("200 OK", *lines)).encode()


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_one_gets_its_content_length(controller, kind):
    """START and the last BODY, with the length that follows from it."""
    frames, is_usable = controller.run(app_giving(kind([b"hello"])))
    assert frames == [
        (START, 0, head("Content-Type: text/html", "Content-Length: 5")),
        (BODY, LAST, b"hello"),
    ]
    assert is_usable


def test_a_content_length_of_the_apps_own_is_left_alone(controller):
    """And tells that the first chunk of an iterator was the last."""
    headers = [("content-LENGTH", "5")]
    frames, _ = controller.run(app_giving(iter([b"hello"]), headers=headers))
    assert frames == [(START, 0, head("content-LENGTH: 5")), (BODY, LAST, b"hello")]


def test_an_iterator_is_sent_chunk_by_chunk_and_empty_chunks_are_not(controller):
    """Nothing is held back to be joined with what comes later."""
    frames, _ = controller.run(app_giving(iter([b"", b"a", b"", b"b"])))
    assert frames == [
        (START, 0, head("Content-Type: text/html")),
        (BODY, 0, b"a"),
        (BODY, 0, b"b"),
        (END, 0, b""),
    ]


@pytest.mark.parametrize(
    "result",
    [[], [b""], iter([]), iter([b"", b""])],
    ids=["list", "list of empty", "iterator", "iterator of empty"],
)
def test_an_empty_body_is_one_frame(controller, result):
    """START is the last; a list of one empty chunk has a length, 0."""
    frames, _ = controller.run(app_giving(result))
    ((kind, flags, _),) = frames
    assert (kind, flags) == (START, LAST)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_length_is_added_where_there_can_be_no_body(controller, status):
    """RFC 9110, 8.6: not in a 204; in a 304 it would speak of the 200's body."""
    frames, _ = controller.run(app_giving([b""], status, []))
    assert frames == [(START, LAST, status.encode() + b"\r\n")]


def test_the_answer_to_head_gets_no_length_made_up(controller):
    """And may have a Content-Length without a body."""
    frames, _ = controller.run(app_giving([b""]), REQUEST_METHOD="HEAD")
    assert frames == [(START, LAST, head("Content-Type: text/html"))]


def test_head_with_a_content_length_and_no_body_is_complete(controller):
    """What a framework answers that drops the body itself."""
    frames, _ = controller.run(
        app_giving([], headers=[("Content-Length", "99")]), REQUEST_METHOD="HEAD"
    )
    assert frames == [(START, LAST, head("Content-Length: 99"))]


def test_a_large_body_is_one_frame_that_is_handed_out_as_it_comes(controller):
    """Only the last part of it carries LAST."""
    body = bytes(range(256)) * 4096  # 1 MiB
    frames, _ = controller.run(app_giving([body]))
    kinds = [(kind, flags) for kind, flags, _ in frames]
    assert kinds == [(START, 0), *[(BODY, 0)] * (len(frames) - 2), (BODY, LAST)]
    assert len(frames) > 10
    assert b"".join(payload for _, _, payload in frames[1:]) == body


def test_a_body_larger_than_any_frame_is_several(controller, monkeypatch):
    """What the length of a frame can't say."""
    monkeypatch.setattr(answers, "MAX_DIVISIBLE_PAYLOAD", 100_000)
    body = bytes(range(256)) * 1000
    frames, _ = controller.run(app_giving([body]))
    assert b"".join(payload for _, _, payload in frames[1:]) == body
    assert [flags for _, flags, _ in frames] == [0] * (len(frames) - 1) + [LAST]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_bodies_around_the_limit_of_joining_arrive_unchanged(controller, extra):
    """Joined or gathered, the bytes are the same."""
    body = b"x" * (JOIN_LIMIT + extra)
    frames, _ = controller.run(app_giving(iter([body, b"y"])))
    assert frames[1:] == [(BODY, 0, body), (BODY, 0, b"y"), (END, 0, b"")]


def test_write_sends_at_once_and_goes_before_what_is_returned(controller):
    """PEP 3333's old way."""

    def app(environ, start_response):
        write = start_response("200 OK", HTML)
        write(b"first")
        return [b"second"]

    frames, _ = controller.run(app)
    assert [payload for _, _, payload in frames[1:]] == [b"first", b"second", b""]


def test_an_exception_before_the_start_is_a_500_and_is_logged(controller, capsys):
    """With method and path, which can't write lines of their own, and its id."""

    def app(environ, start_response):
        raise ValueError("broken")

    given = {"PATH_INFO": "/a\nb", "HTTP_X_REQUEST_ID": "id-1"}
    frames, is_usable = controller.run(app, **given)
    assert (frames, is_usable) == ([SORRY, SORRY_BODY], True)
    logged = capsys.readouterr().err
    assert logged.startswith(
        "passtwist: GET '/a\\nb' failed (request id-1): Traceback (most recent call "
        "last):\n"
        f'  File "{__file__}"'
    )
    assert logged.endswith("ValueError: broken\n")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()]
)
def test_whatever_is_raised_is_one_failed_request(controller, capsys, raised):
    """The worker goes on."""

    def app(environ, start_response):
        raise raised

    assert controller.run(app) == ([SORRY, SORRY_BODY], True)


def test_headers_set_before_an_exception_are_forgotten(controller, capsys):
    """The 500 has its own, even behind a status that forbids a body."""

    def app(environ, start_response):
        start_response("204 No Content", [("Set-Cookie", "secret")])
        raise ValueError

    assert controller.run(app) == ([SORRY, SORRY_BODY], True)


def test_an_exception_after_the_start_fails_the_answer(controller, capsys):
    """What was sent can't be taken for complete; the connection is given up."""

    def app(environ, start_response):
        start_response("200 OK", HTML)
        yield b"half"
        raise ValueError("later")

    frames, is_usable = controller.run(app)
    assert [frame[0] for frame in frames] == [START, BODY, FAIL]
    assert not is_usable
    assert "ValueError: later" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["X-Sendfile", "x-accel-redirect"])
def test_who_names_a_file_may_give_its_length(controller, name):
    """The body is empty then: somebody else sends the file."""
    headers = [("Content-Length", "10"), (name, "/srv/media/a")]
    frames, is_usable = controller.run(app_giving([], headers=headers))
    assert [frame[0] for frame in frames] == [START]
    assert is_usable


def test_less_than_the_content_length_fails_the_answer(controller, capsys):
    """The client would wait for the rest, or take it for the whole."""
    frames, is_usable = controller.run(
        app_giving(iter([b"four"]), headers=[("Content-Length", "10")])
    )
    assert [frame[0] for frame in frames] == [START, BODY, FAIL]
    assert not is_usable
    assert "6 bytes less than its Content-Length" in capsys.readouterr().err


@pytest.mark.parametrize("rest", [[b"lo and more", b"!"], [b"lo", b"!"]])
def test_more_than_the_content_length_is_cut(controller, capsys, rest):
    """The surplus must not become part of the next response; the log says so."""
    app = app_giving(iter([b"hel", *rest]), headers=[("Content-Length", "5")])
    frames, is_usable = controller.run(app)
    assert frames[1:] == [(BODY, 0, b"hel"), (BODY, LAST, b"lo")]
    assert is_usable
    assert capsys.readouterr().err == (
        "passtwist: GET '/' failed: the app gave more than its Content-Length; the "
        "rest was cut off\n"
    )


@pytest.mark.parametrize(
    ("status", "pairs"),
    [("200 OK", {"REQUEST_METHOD": "HEAD"}), ("304 Not Modified", {})],
)
def test_a_body_that_is_not_sent_anyway_is_not_complained_of(
    controller, capsys, status, pairs
):
    """To HEAD apps answer what they like."""
    app = app_giving([b"hello", b"!"], status, headers=[("Content-Length", "5")])
    controller.run(app, **pairs)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, [], "status is 200"),
        ("200", [], "status is '200'"),
        ("abc OK", [], "status is 'abc OK'"),
        ("200 O\nK", [], "a line break or NUL"),
        ("200 OK", [("A", "b\r\nSet-Cookie: x")], "a line break or NUL"),
        ("200 OK", [("A\0", "b")], "a line break or NUL"),
        ("200 OK", [("A", 1)], "('A', 1) is not a pair"),
        ("200 OK", [("A", b"b")], "('A', b'b') is not a pair"),
        ("200 OK", [("A", "b", "c")], "is not a pair"),
        ("200 OK", [["A", "b"]], "not pairs"),
        ("200 OK", None, "headers are NoneType, not a list"),
        ("200 OK", [("", "b")], "has no name"),
        ("200 OK", [("A", "\u20ac")], "is not latin-1"),
        ("200 OK", [("Content-Length", "-1")], "Content-Length is '-1'"),
        ("200 OK", [("Content-Length", "1_0")], "Content-Length is '1_0'"),
        ("200 OK", [("Content-Length", "")], "Content-Length is ''"),
    ],
)
def test_what_is_no_status_or_header_is_a_500_that_says_why(
    controller, capsys, status, headers, said
):
    """Nothing of it is sent, not even when it is tried twice."""
    app = app_giving([b"x"], status, headers)
    assert controller.run(app) == ([SORRY, SORRY_BODY], True)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (app_giving(["text"]), "gave str, not bytes"),
        (app_giving(iter(["text"])), "gave str, not bytes"),
        (app_giving(None), "NoneType"),
        (lambda environ, start_response: [b"x"], "did not call start_response"),
        (lambda environ, start_response: [], "did not call start_response"),
    ],
)
def test_a_result_that_is_no_body_is_a_500(controller, capsys, app, said):
    """With what was wrong in the log."""
    assert controller.run(app) == ([SORRY, SORRY_BODY], True)
    assert said in capsys.readouterr().err


def test_start_response_twice_needs_exc_info(controller, capsys):
    """PEP 3333: without it, it is a mistake."""

    def app(environ, start_response):
        start_response("200 OK", HTML)
        start_response("200 OK", HTML)
        return []

    controller.run(app)
    assert "called twice without exc_info" in capsys.readouterr().err


def test_exc_info_replaces_headers_that_were_not_sent(controller):
    """The app's own error page."""

    def app(environ, start_response):
        start_response("200 OK", HTML)
        try:
            raise ValueError
        except ValueError:
            start_response("503 Oops", [], sys.exc_info())
        return []

    assert controller.run(app)[0] == [(START, LAST, b"503 Oops\r\n")]


def test_exc_info_raises_when_headers_were_sent(controller, capsys):
    """PEP 3333: the app must not go on as if they had been replaced."""

    def app(environ, start_response):
        start_response("200 OK", HTML)(b"sent")
        try:
            raise ValueError("original")
        except ValueError:
            start_response("503 Oops", [], sys.exc_info())
        return [b"never"]

    frames, _ = controller.run(app)
    assert [frame[0] for frame in frames] == [START, BODY, FAIL]
    assert "ValueError: original" in capsys.readouterr().err


class Result:
    """An iterable that counts its closings."""

    def __init__(self, chunks, close=lambda: None):
        self.chunks = chunks
        self.closings = 0
        self._close = close

    def __iter__(self):
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self):
        self.closings += 1
        self._close()


@pytest.mark.parametrize("chunks", [[], [b"a"], [ValueError()], [b"a", ValueError()]])
def test_close_is_called_once_however_it_ends(controller, capsys, chunks):
    """PEP 3333: also after an exception."""
    result = Result(chunks)
    controller.run(app_giving(result))
    assert result.closings == 1


def test_close_is_called_when_the_controller_is_gone(controller):
    """Iterating stops at the first chunk that can't be sent."""
    sent = []

    def chunks():
        while True:
            sent.append(1)
            yield b"x" * 65536

    result = Result(())
    result.chunks = chunks()
    controller.send()
    request = controller.reader.read()
    controller.ours.close()
    half = WsgiHalf(app_giving(result), multithread=False)
    assert not half.answer(controller.theirs, request)
    assert (result.closings, len(sent)) == (1, 1)


def test_an_exception_in_close_is_logged_and_changes_nothing(controller, capsys):
    """The answer is out already."""

    def fail():
        raise ValueError("in close")

    frames, is_usable = controller.run(app_giving(Result([b"a"], fail)))
    assert [frame[0] for frame in frames] == [START, BODY, END]
    assert is_usable
    assert "ValueError: in close" in capsys.readouterr().err


def test_early_hints_go_before_the_answer(controller):
    """As a 103 that the front end passes on; after the start they are too late."""

    def app(environ, start_response):
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        start_response("200 OK", HTML)(b"x")
        environ["wsgi.early_hints"]([("Link", "late")])
        return []

    frames, _ = controller.run(app)
    assert frames[0] == (
        INTERIM,
        0,
        b"103 Early Hints\r\nLink: </a.css>; rel=preload\r\n",
    )
    assert [frame[0] for frame in frames] == [INTERIM, START, BODY, END]


class Leisurely:
    """A response whose close() takes its time, by a clock that we set."""

    def __init__(self, clock, seconds):
        self.clock = clock
        self.seconds = seconds

    def __iter__(self):
        return iter([b"hello"])

    def close(self):
        self.clock[0] += self.seconds


def test_work_after_the_response_holds_back_the_end_of_the_next(
    controller, monkeypatch
):
    """The worker must not count as free while it is still in close()."""
    clock = [1.0]
    for module in (answers, wsgi):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    result = Leisurely(clock, wsgi.LEISURE_LIMIT)
    half = WsgiHalf(
        app_giving(result, headers=[("Content-Length", "5")]), multithread=False
    )
    start = (START, 0, head("Content-Length: 5"))
    early = [start, (BODY, LAST, b"hello")]
    assert controller.run_half(half) == early
    assert controller.run_half(half) == early, "so short a work is no reason"
    result.seconds = 2 * wsgi.LEISURE_LIMIT
    assert controller.run_half(half) == early, "it can't be known before"
    late = [start, (BODY, 0, b"hello"), (END, 0, b"")]
    assert controller.run_half(half) == late
    result.seconds = 0
    for _ in range(wsgi.LEISURE_MEMORY):
        assert controller.run_half(half) == late
    assert controller.run_half(half) == early, "and in time it is forgotten"


def test_an_end_that_is_held_back_comes_after_close(controller, monkeypatch):
    """Seen by the order of what happens in the worker."""
    happened = []

    class Result:
        def __iter__(self):
            yield b"hello"
            happened.append("exhausted")

        def close(self):
            happened.append("closed")

    monkeypatch.setattr(
        answers.Answer,
        "finish",
        lambda self, finish=answers.Answer.finish: (
            happened.append("finished"),
            finish(self),
        ),
    )
    half = WsgiHalf(app_giving(Result()), multithread=False)
    half._leisurely = 1
    controller.run_half(half)
    assert happened == ["exhausted", "closed", "finished"]


def test_a_head_that_is_too_large_is_the_apps_error(controller, capfd):
    """It fits no frame; the client gets a 500 and the connection lives."""
    headers = [("X-Large", "x" * MAX_SESSION_PAYLOAD)]
    frames, is_usable = controller.run(app_giving([b"hello"], headers=headers))
    assert frames == [SORRY, SORRY_BODY]
    assert is_usable
    assert f"at most {MAX_SESSION_PAYLOAD} can be sent" in capfd.readouterr().err
