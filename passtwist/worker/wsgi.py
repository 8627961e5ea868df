"""Call a WSGI app for one request.

Runs in: workers.  PEP 3333, and `wsgi.early_hints` as other servers have it.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from time import monotonic
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple

from passtwist.worker.answers import Answer, ControllerGone, Sender, print_error
from passtwist.worker.heads import BrokenAnswer
from passtwist.worker.leaving import leave_copy
from passtwist.worker.requests import Request
from passtwist.worker.streamed import ClientLeft, StreamedInput

# A WSGI app's own type can't be said better in PEP 3333's terms.
Application = Callable[[Dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Method, path and id of a request, for the log.
Place = Tuple[str, str, str]

FILE_BLOCK = 64 * 1024
ERROR_BODY = b"Internal Server Error\n"
ERROR_HEADERS = [("Content-Type", "text/plain; charset=utf-8")]
VERSION = (1, 0)
CUT = "the app gave more than its Content-Length; the rest was cut off"

# The end of a response goes out with its last chunk, which saves a write and a
# read for each response of Django and Flask; the worker then counts as free
# while it is still in close().  An app that was busy there for longer than
# this does its work after the response (call_on_close and the like): from then
# on the end is sent behind close(), so that no request waits for such work
# while another worker is free.
LEISURE_LIMIT = 0.005  # seconds
# A busy machine makes any close() slow at times, so that is forgotten after as
# many responses without such work.
LEISURE_MEMORY = 100


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable of a file's blocks."""

    def __init__(self, filelike: Any, block_size: int = 0) -> None:
        self._read = filelike.read
        # Apps often ask for 8 KiB; each block is a frame and a system call.
        self._size = max(block_size, FILE_BLOCK)
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._read(self._size), b"")


class WsgiHalf:
    """Answers requests with an app's WSGI callable.

    :param multithread: other threads of this process call the app too.
    """

    def __init__(self, application: Application, multithread: bool) -> None:
        self._application = application
        # How many more responses have their end held back.
        self._leisurely = 0
        self._pid = os.getpid()
        self._common: Dict[str, Any] = {
            "wsgi.version": VERSION,
            "wsgi.url_scheme": "http",
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
        }

    def answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer *request*; False when the connection can't be used any more."""
        _, environ, body = request
        method = environ.get("REQUEST_METHOD", "")
        place = (
            method,
            environ.get("PATH_INFO", ""),
            environ.get("HTTP_X_REQUEST_ID", ""),
        )
        sender: Sender = connection
        if type(body) is StreamedInput:
            sender = body.body.sender
        answer = Answer(sender, method == "HEAD", self._leisurely > 0)
        variables: Dict[str, Any] = environ  # its values are no longer text only
        variables.update(self._common)
        if environ.get("HTTPS") in ("on", "1"):
            variables["wsgi.url_scheme"] = "https"
        variables["wsgi.input"] = body
        variables["wsgi.errors"] = sys.stderr
        variables["wsgi.early_hints"] = answer.early_hints
        result: Any = None
        try:
            result = self._application(variables, answer.start_response)
            if type(result) is list and len(result) == 1:
                answer.answer_whole(result[0])
                result = None  # a list has no close()
            else:
                _send_chunks(answer, result)
                if answer.holds_end:
                    closing, result = result, None
                    begun = monotonic()
                    _close(closing, place)
                    self._note_leisure(monotonic() - begun)
                answer.finish()
            if answer.is_cut:
                _log(BrokenAnswer(CUT), place)
            return True
        except ControllerGone:
            return False
        except BaseException as error:  # noqa: BLE001 - logged and answered
            # Whatever an app raises, SystemExit too, is one failed request.
            if os.getpid() != self._pid:
                leave_copy(error)
            return _apologise(answer, error, place)
        finally:
            if result is not None:
                _close(result, place)
                if answer.completed_at:
                    self._note_leisure(monotonic() - answer.completed_at)
            body.close()

    def _note_leisure(self, seconds: float) -> None:
        """The app went on for *seconds* after its response was complete."""
        if seconds > LEISURE_LIMIT:
            self._leisurely = LEISURE_MEMORY
        elif self._leisurely:
            self._leisurely -= 1


def _send_chunks(answer: Answer, result: Any) -> None:
    if type(result) is tuple and len(result) == 1:
        answer.answer_whole(result[0])
        return
    write = answer.write
    for chunk in result:
        write(chunk)


def _close(result: Any, place: Place) -> None:
    close = getattr(result, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException as error:  # noqa: BLE001 - logged
        # The answer is out; what is left to do is to say so.
        _log(error, place)


def _apologise(answer: Answer, error: BaseException, place: Place) -> bool:
    _log(error, place)
    try:
        if answer.is_complete:
            return True
        if answer.is_started:
            answer.fail()
            return False
        # exc_info: the app may have called start_response already.
        answer.start_response(
            "500 Internal Server Error",
            ERROR_HEADERS,
            (type(error), error, None),
        )
        answer.answer_whole(ERROR_BODY)
    except ControllerGone:
        return False
    return True


def _log(error: BaseException, place: Place) -> None:
    if isinstance(error, (BrokenAnswer, ClientLeft)):
        text = "%s\n" % error
    else:
        text = "".join(traceback.format_exception(type(error), error, _trimmed(error)))
    # repr: a path must not write lines of its own into the log.
    method, path, request_id = place
    number = " (request %s)" % request_id if request_id else ""
    print_error("passtwist: %s %r failed%s: %s" % (method, path, number, text))


def _trimmed(error: BaseException) -> Any:
    """The traceback without our own leading frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    return trace
