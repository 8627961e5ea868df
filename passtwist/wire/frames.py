"""Frames: type (1 byte), flags (1), length (4, little endian), payload.

Runs in: every process.  The same header carries sessions, control messages
and journey records; what a type means is said by the codec on top.
"""

from __future__ import annotations

import struct
from typing import List, Tuple

from passtwist.errors import FrameTooLarge

HEADER = struct.Struct("<BBI")
HEADER_SIZE = HEADER.size

# The head in a START frame is bounded by the front end's own header limits
# (64 KiB); the rest is for what goes from the controller to a worker.
MAX_SESSION_PAYLOAD = 256 * 1024
# A worker sends a chunk of its app's as one BODY frame, however large: nobody
# ever holds it whole (`FrameReader`), and a frame more is a system call more.
# Below this it is waited for, so that an ordinary response is one piece.
DIVIDED_ABOVE = 64 * 1024
# What the length in a header can say, rounded down.
MAX_DIVISIBLE_PAYLOAD = 1 << 30
# Control messages carry an AppSpec with its environment and, upwards, the
# traceback and output tail of a failed spawn.
MAX_CONTROL_PAYLOAD = 1024 * 1024

Frame = Tuple[int, int, bytes]

_unpack_header = HEADER.unpack_from


def encode_frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame as bytes."""
    return HEADER.pack(kind, flags, len(payload)) + payload


class FrameReader:
    """Cut a byte stream into frames, whatever the pieces it arrives in.

    :param limit: largest payload in bytes; a header announcing more raises
        `FrameTooLarge` before anything of the payload is kept.
    :param divisible: a type whose payload may be of any size.  A frame of it
        that is larger than `DIVIDED_ABOVE` is handed out as it comes, in
        several; the last of them has its flags.
    :ivar left: bytes that are still to come of such a frame.
    """

    def __init__(self, limit: int, divisible: int = -1) -> None:
        self._limit = limit
        self._divisible = divisible
        self._buffer = b""
        self._flags = 0
        self.left = 0

    def feed(self, data: bytes) -> List[Frame]:
        """Take *data*; answer the frames that are complete now, in order.

        :raises FrameTooLarge: the stream is unusable from here on.
        """
        frames: List[Frame] = []
        if self.left:
            piece = data[: self.left]
            data = data[len(piece) :]
            frames.append((self._divisible, self.take(len(piece)), piece))
        if self._buffer:
            data = self._buffer + data
        position = 0
        available = len(data)
        while available - position >= HEADER_SIZE:
            kind, flags, length = _unpack_header(data, position)
            start = position + HEADER_SIZE
            end = start + length
            if length > self._limit and kind != self._divisible:
                raise FrameTooLarge(
                    "frame of type %d announces %d bytes; the limit is %d"
                    % (kind, length, self._limit)
                )
            if end > available:
                if kind == self._divisible and start < available:
                    if length > DIVIDED_ABOVE:
                        frames.append((kind, 0, data[start:]))
                        self.left, self._flags = end - available, flags
                        position = available
                break
            frames.append((kind, flags, data[start:end]))
            position = end
        self._buffer = data[position:] if position < available else b""
        return frames

    def take(self, size: int) -> int:
        """So many bytes of the divided frame were read past `feed`: its flags
        when they are its last, else none.

        :param size: at most `left`.
        """
        self.left -= size
        return 0 if self.left else self._flags

    @property
    def pending(self) -> int:
        """Bytes of a frame that has not arrived whole: kept, or to come."""
        return len(self._buffer) or self.left
