"""(d) A loop of asyncio: workers would take each other's events."""

import asyncio

loop = asyncio.new_event_loop()  # here


async def answer():
    return b"awaited"


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [loop.run_until_complete(answer())]
