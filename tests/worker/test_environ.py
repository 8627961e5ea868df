"""What an app is given: environ, input, and the file wrapper."""

from __future__ import annotations

import os
import sys
import threading
from io import BytesIO
from wsgiref.validate import validator

import pytest

from passtwist.wire.session import BODY, END, START
from passtwist.worker.wsgi import WsgiHalf


def echo(environ, start_response):
    """Answer with the body of the request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read()]


def body_of(answer):
    frames, is_usable = answer
    assert is_usable
    return b"".join(payload for kind, _, payload in frames if kind == BODY)


def look(controller, multithread=False, **pairs):
    """The environ that an app sees."""
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return []

    controller.send(**pairs)
    controller.answer(app, multithread)
    return seen


def test_wsgirefs_validator_finds_nothing_to_complain_about(controller, capsys):
    """It checks both sides of PEP 3333."""

    @validator
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        assert environ["wsgi.input"].read(3) == b"abc"
        environ["wsgi.errors"].write("a word\n")
        return [b"fine"]

    controller.send(
        b"abcdef",
        REQUEST_METHOD="POST",
        SERVER_NAME="x",
        SERVER_PORT="80",
        SERVER_PROTOCOL="HTTP/1.1",
        QUERY_STRING="",
        CONTENT_LENGTH="6",
    )
    assert body_of(controller.answer(app)) == b"fine"
    assert capsys.readouterr().err == "a word\n"


def test_environ_has_the_variables_of_the_request_and_wsgis(controller):
    """Nothing is made up, nothing is lost."""
    seen = look(controller, HTTP_HOST="x", PATH_INFO="/caf\xc3\xa9")
    assert seen["wsgi.input"].closed
    hints, errors = seen.pop("wsgi.early_hints"), seen.pop("wsgi.errors")
    assert callable(hints) and errors is sys.stderr
    assert isinstance(seen.pop("wsgi.input"), BytesIO)
    assert seen.pop("wsgi.file_wrapper")
    assert seen == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/caf\xc3\xa9",
        "HTTP_HOST": "x",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def test_threads_are_announced(controller):
    assert look(controller, multithread=True)["wsgi.multithread"] is True


@pytest.mark.parametrize(
    ("https", "scheme"),
    [("on", "https"), ("1", "https"), ("off", "http"), ("", "http")],
)
def test_the_scheme_follows_the_cgi_variable(controller, https, scheme):
    """As CGI has it: HTTPS=on."""
    assert look(controller, HTTPS=https)["wsgi.url_scheme"] == scheme


def test_one_request_cannot_change_the_environ_of_the_next(controller):
    """Each gets its own."""

    def app(environ, start_response):
        assert "mark" not in environ
        environ["mark"] = environ["wsgi.version"] = 1
        start_response("200 OK", [])
        return []

    half = WsgiHalf(app, multithread=False)
    for _ in range(2):
        controller.send()
        assert half.answer(controller.theirs, controller.reader.read())


@pytest.mark.parametrize("size", [1, 1000, 20_000, 300_000, 700_000])
def test_a_body_in_frames_arrives_whole(controller, size):
    """Whatever the pieces; sent from a thread, as a socket holds less than that."""
    body = os.urandom(size)
    sending = threading.Thread(target=controller.send, args=(body,))
    sending.start()
    answer = controller.answer(echo)
    sending.join()
    assert body_of(answer) == body


def test_a_body_in_a_file_is_read_from_its_beginning(controller, tmp_path):
    """The descriptor travels with the request; its offset is of no meaning."""
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, 7, os.SEEK_SET)
    controller.send_file(descriptor, 10)
    os.close(descriptor)
    assert body_of(controller.answer(echo)) == b"0123456789"


def test_a_body_that_the_app_ignores_does_not_reach_the_next_request(controller):
    """It is dropped with its request."""
    half = WsgiHalf(lambda e, s: s("200 OK", []) and [], multithread=False)
    for body in (b"left alone" * 5000, b""):
        controller.send(body)
        _, environ, given = controller.reader.read()
        assert given.read() == body
        assert half.answer(controller.theirs, (1, environ, given))


@pytest.mark.parametrize("block", [0, 10, 100_000])
def test_the_file_wrapper_sends_a_file_and_closes_it(controller, tmp_path, block):
    """In blocks that are worth a system call each."""
    path = tmp_path / "file"
    content = os.urandom(150_000)
    path.write_bytes(content)
    files = []

    def app(environ, start_response):
        start_response("200 OK", [])
        files.append(path.open("rb"))
        return environ["wsgi.file_wrapper"](files[0], block)

    frames, _ = controller.run(app)
    assert b"".join(payload for _, _, payload in frames[1:]) == content
    assert (frames[0][0], frames[-1][0], files[0].closed) == (START, END, True)
