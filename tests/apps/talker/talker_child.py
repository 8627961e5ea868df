"""The child half of talker: HTTP/1.1 and WebSocket by asyncio, as little as will do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 8


def load(app):
    return app.load_entry()


def serve(app, application, server):
    asyncio.run(_serve(application, server))


async def _serve(application, server):
    loop = asyncio.get_running_loop()
    leaving = asyncio.Event()
    talks = set()

    async def connected(reader, writer):
        talks.add(asyncio.current_task())
        try:
            while await _talk(application, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            talks.discard(asyncio.current_task())
            writer.close()

    listening = await asyncio.start_server(connected, sock=server.listener)
    server.on_stop(lambda: loop.call_soon_threadsafe(leaving.set))
    server.ready(concurrency=20, upgrades=["WebSocket", "raw"])
    await leaving.wait()
    listening.close()
    if talks:
        await asyncio.wait(talks)


async def _talk(application, reader, writer):
    """Answer one request; whether another may follow."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = line.split(" ")
    headers = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    status, answer = await application(method, target, headers, body)
    if status == 101:
        await _upgrade(headers, answer, reader, writer)
        return False
    head = "HTTP/1.1 %d %s\r\nContent-Length: %d\r\n\r\n"
    writer.write((head % (status, "As It Is", len(answer))).encode())
    if method != "HEAD":
        writer.write(answer)
    await writer.drain()
    return True


async def _read_chunks(reader):
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return body


async def _upgrade(headers, talk, reader, writer):
    protocol = headers["upgrade"]
    head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
    writer.write((head % protocol).encode())
    if protocol == "raw":
        writer.write(b"\r\n")
        await talk(reader, writer)
        return
    key = headers["sec-websocket-key"].encode() + _MAGIC
    accept = base64.b64encode(hashlib.sha1(key).digest())
    writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    await _talk_in_frames(reader, writer)


async def _talk_in_frames(reader, writer):
    """Send back each message; at the end of the client, say goodbye."""
    while True:
        try:
            first, second = await reader.readexactly(2)
        except asyncio.IncompleteReadError:
            writer.write(bytes([0x80 | _CLOSE, 2]) + struct.pack("!H", 1001))
            await writer.drain()
            return
        length = second & 0x7F
        if length > 125:
            form, size = ("!H", 2) if length == 126 else ("!Q", 8)
            (length,) = struct.unpack(form, await reader.readexactly(size))
        mask = await reader.readexactly(4)
        data = _unmasked(await reader.readexactly(length), mask)
        writer.write(bytes([first]) + _length(length) + data)
        await writer.drain()
        if first & 0xF == _CLOSE:
            return


def _unmasked(data, mask):
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return number.to_bytes(len(data), "big")


def _length(length):
    if length < 126:
        return bytes([length])
    if length < 1 << 16:
        return bytes([126]) + struct.pack("!H", length)
    return bytes([127]) + struct.pack("!Q", length)
