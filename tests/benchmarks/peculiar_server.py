"""A small HTTP server in a thread; the first part of the path says how it behaves."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter

STALL = 0.3

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 12\r\n\r\nhello world\n"
ANSWERS = {
    "/": HELLO,
    "/close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
    "/chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/until-close": b"HTTP/1.0 200 OK\r\n\r\nok",
    "/refused": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno",
    "/short": OK + b"Content-Length: 12\r\n\r\nhello",
    "/noise": b"hello world\r\n\r\n",
}
CLOSING = ("/close", "/until-close", "/short", "/noise")


class PeculiarServer:
    """`with PeculiarServer() as server: ...`.

    /never is never answered; /stall not within `STALL` seconds from its first
    request on; /once only as the first request of a connection, the second one
    finds it closed.

    :ivar heads: first lines of all requests, in order.
    :ivar bodies: bytes of bodies that came, by path.
    :ivar connections: how many were opened, and how many at once at most.
    :ivar stalled: seconds that it has stalled.
    """

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.bodies: Counter[str] = Counter()
        self.connections = 0
        self.most_at_once = 0
        self.stalled = 0.0
        self._open = 0
        self._release: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> PeculiarServer:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def _stop(self) -> None:
        assert self._server is not None
        for _ in range(10):
            # What came just now takes a few turns to have a task, and is lost
            # track of if the server is closed meanwhile.
            await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await self._converse(reader, writer)
        finally:
            self._open -= 1
            if writer.transport.get_write_buffer_size():
                # Of a reader that has gone: nobody will take the rest.
                writer.transport.abort()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = 0
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            first = head.split(b"\r\n")[0].decode()
            self.heads.append(first)
            path = "/" + first.split()[1].split("/")[1]
            number += 1
            if path == "/upload":
                while data := await reader.read(65536):
                    self.bodies[path] += len(data)
                return
            if path == "/never":
                await asyncio.Event().wait()
            if path == "/stall":
                await self._stall()
            if path == "/once" and number == 2:
                return
            if path == "/mebibyte":
                answer = OK + b"Content-Length: 1048576\r\n\r\n" + b"x" * 1048576
            else:
                answer = ANSWERS.get(path, HELLO)
            writer.write(answer)
            await writer.drain()
            if path in CLOSING:
                return

    async def _stall(self) -> None:
        if self._release is None:
            self._release = asyncio.Event()
            begun = time.monotonic()
            await asyncio.sleep(STALL)
            self.stalled = time.monotonic() - begun
            self._release.set()
        await self._release.wait()
