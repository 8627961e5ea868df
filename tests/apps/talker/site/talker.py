"""An app that answers, talks, floods and dies."""

import asyncio
import hashlib
import json
import os
import signal

flooded = 0
seen = []


async def application(method, target, headers, body):
    seen.append(method + " " + target)
    if "upgrade" in headers and target in ("/talk", "/flood", "/relay"):
        return 101, {"/flood": flood, "/relay": relay}.get(target)
    if target == "/env":
        return 200, json.dumps([method, target, headers]).encode()
    if target == "/digest":
        return 200, hashlib.sha256(body).hexdigest().encode()
    if target == "/seen":
        return 200, json.dumps(seen).encode()
    if target == "/flooded":
        return 200, str(flooded).encode()
    if target == "/pid":
        return 200, str(os.getpid()).encode()
    if target == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(60)
    if target == "/forbidden":
        return 403, b"no talking here"
    return 200, b"hello"


async def relay(reader, writer):
    """Send back what comes, until it ends; then say how much it was."""
    size = 0
    while data := await reader.read(65536):
        size += len(data)
        writer.write(data)
        await writer.drain()
    writer.write(b"%d bytes" % size)
    await writer.drain()


async def flood(reader, writer):
    """Send numbers, as fast as they are taken, up to 32 MiB."""
    global flooded
    while flooded < 32 << 20:
        piece = b"".join(b"%08d" % n for n in range(flooded // 8, flooded // 8 + 8192))
        writer.write(piece)
        await writer.drain()
        flooded += len(piece)
