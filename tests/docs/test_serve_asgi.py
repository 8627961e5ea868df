"""The page on ASGI does what it says, with uvicorn."""

from __future__ import annotations

import os
import threading

from passtwist.testing.server import RunningServer
from tests.docs.pages import ROOT, Page
from tests.integration.commands import output
from tests.integration.websocket import BINARY, WebSocket

PAGE = Page(ROOT / "docs" / "how-to" / "serve-asgi.md")
FILES = ("asgi_plugin.py", "asgi_child.py", "chat/asgi.py")


def test_an_asgi_application_is_served_as_shown(tmp_path):
    """Requests, WebSocket, and a restart that ends what is open."""
    (tmp_path / "chat").mkdir()
    blocks = [block.text for block in PAGE.blocks if block.language == "python"]
    for name, text in zip(FILES, blocks, strict=True):
        (tmp_path / name).write_text(text)
    plugin = f"--plugin-file={tmp_path / 'asgi_plugin.py'}"
    with RunningServer(plugin, str(tmp_path / "chat")) as server:
        said = {"X-Forwarded-For": "192.0.2.1"}
        answer = server.get("/hello", headers=said)
        assert (answer.status, answer.text) == (200, "127.0.0.1 asks for /hello")
        assert server.app("chat")["framework"] == "asgi"
        noise = os.urandom(1 << 20)
        with WebSocket(server, "/talk") as talk:
            sender = threading.Thread(target=talk.send, args=[noise])
            sender.start()
            assert talk.receive() == (BINARY, noise)
            sender.join()
            assert "upgraded" in output(server, "requests")
            output(server, "restart", "chat", "--wait")
            assert talk.has_ended()
        with WebSocket(server, "/talk") as talk:
            talk.send(b"still there?")
            assert talk.receive() == (BINARY, b"still there?")
