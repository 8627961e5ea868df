"""A worker that loads its app by itself: the conservative way.

Runs in: workers exec'd by the spawn manager.
"""

from __future__ import annotations

import os
from typing import Dict, NoReturn

from passtwist.model import WORKER, SpawnRequest
from passtwist.spawnserver import freezing
from passtwist.spawnserver.blame import blame
from passtwist.spawnserver.loading import LoadedApp, enter_app, load_app
from passtwist.spawnserver.worker_request import read_request
from passtwist.wire.control import spawn_request_from_body
from passtwist.worker import signals
from passtwist.worker.journal import Journal
from passtwist.worker.main import leave_failed, serve, start_serving
from passtwist.worker.own_server import run_own_server
from passtwist.worker.process import flush_streams, prints_to
from passtwist.worker.serving import Server
from passtwist.worker.title import set_title


def work(memory: int, first: int, code: str) -> NoReturn:
    """Load the app and serve.  Does not return.

    :param memory: descriptor of the request (`worker_request`).
    :param first: the first of the descriptors that the request names.
    :raises BadFrame: this process was not started by a spawn manager.
    """
    message = read_request(memory)
    descriptors = {name: first + index for index, name in enumerate(message.fds)}
    for descriptor in descriptors.values():
        os.set_inheritable(descriptor, False)
    signals.show_stacks_on(descriptors["stacks"])
    request = spawn_request_from_body(message.body)
    journal = Journal(WORKER, descriptors["handshake"])
    journal.end("start_interpreter")
    try:
        server = _load(request, journal, descriptors, code)
    except BaseException as error:  # noqa: BLE001 - answered
        # Whatever the app raises while it is loaded fails the spawn.
        journal.fail(blame(error, request.app.name, WORKER, journal.step, code))
        flush_streams()
        leave_failed()
    serve(server, journal)


def _load(
    request: SpawnRequest, journal: Journal, descriptors: Dict[str, int], code: str
) -> Server:
    spec = request.app
    prints_to(spec.log_file)
    set_title("worker", spec.name)
    enter_app(spec, journal)
    loaded: LoadedApp = load_app(spec, journal, code)
    freezing.freeze_alone(spec.freeze)
    if loaded.has_server:
        run_own_server(loaded.serve, spec.threads, journal, descriptors)
    return start_serving(loaded.application, spec.threads, journal, descriptors)
