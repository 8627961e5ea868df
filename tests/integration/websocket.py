"""A WebSocket client (RFC 6455), as little of it as tests need.

Runs in: tests.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from passtwist.testing.server import RunningServer

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY = 2
CLOSE = 8


def handshake(path: str, key: bytes = b"", protocol: str = "websocket") -> bytes:
    """The request that opens one."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
        f"Upgrade: {protocol}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key.decode()}\r\n\r\n"
    ).encode()


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head of a response, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


class WebSocket:
    """One that is open.

    :ivar connection: its socket.
    """

    def __init__(self, server: RunningServer, path: str = "/talk") -> None:
        key = base64.b64encode(os.urandom(16))
        self.connection = server.connect()
        self.connection.sendall(handshake(path, key))
        head, self._unread = read_head(self.connection)
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), head
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        # Proxies in front write names, and words of values, in their own way.
        lines = head.lower().split(b"\r\n")
        assert b"sec-websocket-accept: " + accept.lower() in lines
        assert {b"upgrade: websocket", b"connection: upgrade"} <= set(lines)

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes, kind: int = BINARY) -> None:
        """Send one message, in one frame."""
        self.connection.sendall(frame(data, kind))

    def receive(self) -> tuple[int, bytes]:
        """Kind and content of the next message."""
        first, second = self._read(2)
        length = second
        if length > 125:
            form, size = ("!H", 2) if length == 126 else ("!Q", 8)
            (length,) = struct.unpack(form, self._read(size))
        return first & 0xF, self._read(length)

    def has_ended(self) -> bool:
        """Wait for its end; whether it came without another byte."""
        try:
            return not self._unread and self.connection.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read(self, size: int) -> bytes:
        pieces, missing = [self._unread], size - len(self._unread)
        while missing > 0:
            piece = self.connection.recv(1 << 20)
            if not piece:
                raise EOFError(f"closed, and {missing} bytes were to come")
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self._unread = data[size:]
        return data[:size]


def frame(data: bytes, kind: int = BINARY) -> bytes:
    """One message as a client sends it: masked."""
    length = len(data)
    if length < 126:
        head = bytes([0x80 | kind, 0x80 | length])
    elif length < 1 << 16:
        head = bytes([0x80 | kind, 0x80 | 126]) + struct.pack("!H", length)
    else:
        head = bytes([0x80 | kind, 0x80 | 127]) + struct.pack("!Q", length)
    mask = os.urandom(4)
    key = (mask * (length // 4 + 1))[:length]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return head + mask + masked.to_bytes(length, "big")
