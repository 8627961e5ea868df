"""Session frames: one request on its way to a worker, and its answer.

Runs in: the controller and every worker.

Request:   START, then BODY* and END, or BODY_FILE.
Response:  INTERIM*, START, BODY*, END; or FAIL at any point.
READY comes once from the worker when it has accepted a connection.

Streamed:  START with STREAMED; when the app reads its input for the first time the
worker says WANT, at any place among the frames of its response, and then come BODY*
and END; or FAIL in place of what is missing, when the client has left.  Who is not
asked sends nothing.  An answer before the end of the body ends the connection, asked
for or not: an app may begin to read when its response is complete, in its close().

Ahead:     AHEAD, with a descriptor, gives a busy worker a second way on which it finds
its next request: a packet with START, and BODY if there is one.  It reads there when it
has answered and nothing has come on the connection.  The controller has that end too
and can take the packet back as long as the worker has not taken it: the kernel sees to
it that only one of the two gets it.

LAST on START, BODY or BODY_FILE says that no frame of this message follows,
so a small request or response is one write and one read, with no END.
"""

from __future__ import annotations

import struct
from typing import Dict, List, Sequence, Tuple

from passtwist.errors import BadFrame, ForgedEnviron
from passtwist.wire.frames import HEADER, MAX_SESSION_PAYLOAD, encode_frame
from passtwist.wire.scoreboard import SLOTS

START = 1
BODY = 2
END = 3
FAIL = 4
READY = 5
BODY_FILE = 6
INTERIM = 7
WANT = 8
AHEAD = 9

LAST = 0x01
STREAMED = 0x02

# The largest request that is sent ahead, in bytes; a worker takes it in one read.
MAX_AHEAD = 16 * 1024

_NUMBER = struct.Struct("<Q")
_SLOT = struct.Struct("<I")

_pack_header = HEADER.pack
_pack_number = _NUMBER.pack


def encode_request_start(number: int, pairs: Sequence[bytes], flags: int = 0) -> bytes:
    """The START frame of a request.

    :param number: the request's number; the worker writes it on its
        scoreboard before it calls the app.
    :param pairs: CGI keys and values in turn, latin-1: ``[k1, v1, k2, v2]``.
    :raises ForgedEnviron: a key or value holds a NUL.
    """
    block = b"\0".join(pairs)
    if block.count(b"\0") != len(pairs) - 1:
        raise ForgedEnviron("a NUL byte in the request's CGI variables")
    return _pack_header(START, flags, 8 + len(block)) + _pack_number(number) + block


def decode_request_start(payload: bytes) -> Tuple[int, Dict[str, str]]:
    """The number and the CGI variables of a request's START payload.

    :raises BadFrame: too short, or a key without a value.
    """
    if len(payload) < 8:
        raise BadFrame("START of a request with %d bytes" % len(payload))
    (number,) = _NUMBER.unpack_from(payload)
    items = payload[8:].decode("latin-1").split("\0")
    if len(items) % 2:
        raise BadFrame("START of a request with a key that has no value")
    turn = iter(items)
    return number, dict(zip(turn, turn))


def encode_body(data: bytes, last: bool = False) -> bytes:
    """BODY frames for *data*, cut at the frame limit; LAST on the final one.

    With *last* and no data this is one END frame.
    """
    size = len(data)
    if size <= MAX_SESSION_PAYLOAD:
        if not size:
            return encode_frame(END) if last else b""
        return _pack_header(BODY, LAST if last else 0, size) + data
    pieces: List[bytes] = []
    for offset in range(0, size, MAX_SESSION_PAYLOAD):
        piece = data[offset : offset + MAX_SESSION_PAYLOAD]
        final = last and offset + len(piece) == size
        pieces.append(encode_frame(BODY, piece, LAST if final else 0))
    return b"".join(pieces)


def encode_body_file(length: int) -> bytes:
    """BODY_FILE: the body is the descriptor sent along with this frame.

    :param length: the body's length in bytes; the file offset is undefined,
        the worker reads from 0.
    """
    return encode_frame(BODY_FILE, _NUMBER.pack(length), LAST)


def decode_body_file(payload: bytes) -> int:
    """The body's length in bytes."""
    if len(payload) != 8:
        raise BadFrame("BODY_FILE with %d bytes" % len(payload))
    (length,) = _NUMBER.unpack(payload)
    return int(length)


def encode_ready(slot: int) -> bytes:
    """READY: this connection is accepted and owns scoreboard slot *slot*."""
    return encode_frame(READY, _SLOT.pack(slot))


def decode_ready(payload: bytes) -> int:
    """The scoreboard slot of the connection."""
    if len(payload) != 4:
        raise BadFrame("READY with %d bytes" % len(payload))
    (slot,) = _SLOT.unpack(payload)
    if slot >= SLOTS:
        raise BadFrame("READY with slot %d; a scoreboard has %d" % (slot, SLOTS))
    return int(slot)


def encode_response_start(head: bytes, flags: int = 0) -> bytes:
    r"""The START frame of a response.

    :param head: status and headers as on the wire, without a version and
        without the empty line: ``b"200 OK\r\nContent-Type: text/html\r\n"``.
        The front end checks it before a client sees any of it.
    """
    return _pack_header(START, flags, len(head)) + head
