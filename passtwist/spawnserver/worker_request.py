"""How a fresh worker gets its request: in memory that it inherits.

Runs in: the manager (writes) and workers that load their app (read).
"""

from __future__ import annotations

import os

from passtwist.errors import BadFrame
from passtwist.model import SpawnRequest
from passtwist.wire.control import (
    Message,
    MessageReader,
    encode_message,
    spawn_request_to_body,
)

# What a fresh worker finds at descriptors 4, 5, ... (3 is its request).
WORKER_DESCRIPTORS = ("handshake", "listener", "scoreboard", "lifeline", "stacks")


def request_in_memory(request: SpawnRequest) -> int:
    """A descriptor of memory that holds the request as a control message.

    Not a socket: nobody would be there to fill it when the message is larger
    than its buffer.
    """
    body = spawn_request_to_body(request)
    memory = os.memfd_create("passtwist-request", os.MFD_CLOEXEC)
    data = encode_message("spawn", body, WORKER_DESCRIPTORS)
    view = memoryview(data)
    while view:
        view = view[os.write(memory, view) :]
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def read_request(memory: int) -> Message:
    """The message behind a fresh worker's descriptor, which is closed.

    :raises BadFrame: there is none.
    """
    with open(memory, "rb") as file:
        messages = MessageReader().feed(file.read())
    if len(messages) != 1:
        raise BadFrame("%d requests for one worker" % len(messages))
    return messages[0]
