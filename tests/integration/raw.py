"""HTTP by hand, for what a client library would not send or not show.

Runs in: tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.testing.server import RunningServer


def talk(server: RunningServer, data: bytes) -> bytes:
    """Send *data* on a connection of its own; answer all that comes back.

    The last request in it must make the server close the connection.
    """
    with server.connect() as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def responses(data: bytes) -> list[tuple[bytes, bytes]]:
    """Status line and body of each of the responses in *data*, in order.

    Each must have a Content-Length.
    """
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        lengths = [
            int(field.partition(b":")[2])
            for field in fields
            if field.lower().startswith(b"content-length:")
        ]
        (length,) = lengths
        found.append((status, rest[:length]))
        data = rest[length:]
    return found
