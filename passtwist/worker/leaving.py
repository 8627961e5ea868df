"""How a worker leaves in peace.

Runs in: workers, after the last request.
"""

from __future__ import annotations

import atexit
import os
import threading
import traceback
from typing import NoReturn, Optional

from passtwist import lifecycle
from passtwist.worker.answers import print_error
from passtwist.worker.process import flush_streams

# For worker_stopping and atexit together.
LEAVING_LIMIT = 5.0  # seconds


def leave(status: int = 0) -> NoReturn:
    """Run ``worker_stopping`` and atexit, flush, and end the process.

    By `os._exit`: tearing the interpreter down would touch, and so copy, every
    page that is shared with the app spawner, and can hang in the app's threads.
    """
    limit = threading.Timer(LEAVING_LIMIT, _give_up, (status,))
    limit.daemon = True
    try:
        limit.start()
    except RuntimeError:
        pass  # no more threads here: the controller has a limit of its own
    for listener in lifecycle.listeners("worker_stopping"):
        try:
            listener()
        except BaseException:  # noqa: BLE001 - logged
            # The others still want to be told, also when this one says sys.exit().
            print_error("passtwist: worker_stopping: " + traceback.format_exc())
    # Private, but there since Python 3.0, and the only way to run them
    # without ending the interpreter.  Logs what they raise by itself.
    atexit._run_exitfuncs()
    flush_streams()
    os._exit(status)


def leave_copy(error: Optional[BaseException] = None) -> NoReturn:
    """End a process that the app has forked and that came back to us.

    Without ``worker_stopping`` and atexit: they are the worker's, which lives.

    :param error: what the app raised in it; SystemExit names the status.
    """
    status = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code
        status = code & 0xFF if isinstance(code, int) else int(code is not None)
    elif error is not None:
        trace = traceback.format_exception(type(error), error, error.__traceback__)
        print_error("passtwist: in a process forked by the app: " + "".join(trace))
    flush_streams()
    os._exit(status)


def _give_up(status: int) -> NoReturn:
    print_error(
        "passtwist: worker_stopping and atexit took over %.0f s; leaving\n"
        % LEAVING_LIMIT
    )
    os._exit(status)
