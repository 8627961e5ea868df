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

# A session BODY frame holds at most this much (DESIGN section 6); the START
# frame's head is bounded by the front end's own header limits (64 KiB).
MAX_SESSION_PAYLOAD = 256 * 1024
# Control messages carry an AppSpec with its environment and, upwards, the
# traceback and output tail of a failed spawn.
MAX_CONTROL_PAYLOAD = 1024 * 1024

Frame = Tuple[int, int, bytes]


def encode_frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame as bytes."""
    return HEADER.pack(kind, flags, len(payload)) + payload


class FrameReader:
    """Cut a byte stream into frames, whatever the pieces it arrives in.

    :param limit: largest payload in bytes; a header announcing more raises
        `FrameTooLarge` before anything of the payload is kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""

    def feed(self, data: bytes) -> List[Frame]:
        """Take *data*; answer the frames that are complete now, in order.

        :raises FrameTooLarge: the stream is unusable from here on.
        """
        if self._buffer:
            data = self._buffer + data
        frames: List[Frame] = []
        position = 0
        available = len(data)
        while available - position >= HEADER_SIZE:
            kind, flags, length = HEADER.unpack_from(data, position)
            if length > self._limit:
                raise FrameTooLarge(
                    "frame of type %d announces %d bytes; the limit is %d"
                    % (kind, length, self._limit)
                )
            start = position + HEADER_SIZE
            end = start + length
            if end > available:
                break
            frames.append((kind, flags, data[start:end]))
            position = end
        self._buffer = data[position:] if position < available else b""
        return frames

    @property
    def pending(self) -> int:
        """Bytes of a frame that has not arrived whole."""
        return len(self._buffer)
