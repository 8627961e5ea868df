"""No request that an attack hides reaches an app, by the app's own log."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.integration.raw import talk
from tests.integration.sites import APPS, Site, serve
from tests.integration.smuggling import (
    ATTACKS,
    CONTROLS,
    RECORDER,
    TALKING_RECORDER,
    Attack,
)

if TYPE_CHECKING:
    from passtwist.testing.server import RunningServer

END = b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ENDED = "GET a /end 0"
EVERYTHING = (*ATTACKS, *CONTROLS)
WAYS = 3


class Recorder(Site):
    """An app that writes down each request it sees."""

    def __init__(self, folder, name="recorder", **keys):
        super().__init__(folder, name, **keys)
        self.write("passenger_wsgi.py", RECORDER)

    def seen(self) -> list[str]:
        """All requests so far, each as ``METHOD host path size-of-body``."""
        try:
            return (self.root / "seen").read_text().splitlines()
        except FileNotFoundError:
            return []


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    return Recorder(tmp_path_factory.mktemp("smuggling"))


@pytest.fixture(scope="module")
def server(recorder):
    with serve(recorder.root.parent, recorder) as running:
        yield running


def carry_out(server: RunningServer, attack: Attack, pieces: tuple[bytes, ...]) -> int:
    """Send *pieces*; the status of what comes back first, 0 for nothing."""
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
            if attack.breaks_off:
                client.shutdown(socket.SHUT_WR)
            received = b""
            while piece := client.recv(65536):
                received += piece
        except ConnectionError:
            # Only who ends the connection and sends on all the same.
            assert attack.name.startswith("last")
            return attack.status
    finals = [
        part.split()[0] for part in received.split(b"HTTP/1.1 ") if part[:3] > b"199"
    ]
    return int(finals[0]) if finals else 0


def ways(attack: Attack, end: bytes) -> list[tuple[bytes, ...]]:
    """As it is meant, in one piece, and cut within the end of its head."""
    sent = attack.sent + end
    # So many as WAYS says.
    cut = sent.find(b"\r\n\r\n") + 2
    return [
        (*attack.pieces, end),
        (sent,),
        (sent[:cut], sent[cut : cut + 3], sent[cut + 3 :]),
    ]


def goes_on(attack: Attack) -> bool:
    """May another request follow on its connection?"""
    return bool(attack.reaches) and not attack.name.startswith("last")


@pytest.mark.parametrize("attack", EVERYTHING, ids=[one.name for one in EVERYTHING])
def test_an_attack_reaches_the_app_as_what_it_is_or_not_at_all(
    server, recorder, attack
):
    """And the connection ends, or goes on behind exactly what was read."""
    end, reaches = b"", attack.reaches
    if goes_on(attack):
        end, reaches = END, (*reaches, ENDED)
    for pieces in ways(attack, end):
        before = len(recorder.seen())
        assert carry_out(server, attack, pieces) == attack.status
        assert recorder.seen()[before:] == [*reaches]


def test_no_marker_was_seen_at_all(server, recorder):
    """After all attacks in a row; then the server serves as ever."""
    for attack in ATTACKS:
        if not attack.reaches:
            assert carry_out(server, attack, attack.pieces) == attack.status
    talk(server, END)
    legitimate = {line for one in CONTROLS for line in one.reaches}
    seen = recorder.seen()
    assert seen[-1] == ENDED
    assert [one for one in seen if "/marker/" in one and one not in legitimate] == []


@pytest.mark.parametrize(
    ("of", "buffered"), [("wsgi", False), ("http", True), ("http", False)]
)
def test_no_other_kind_of_worker_is_deceived(tmp_path, of, buffered):
    """An app may be asked for a body that turns out broken, for nothing behind it.

    The one that speaks HTTP itself reads what we send it with no checks at all.
    """
    markers = Recorder(tmp_path, "markers")
    asked = Recorder(tmp_path, "asked", base_uri="/attack", buffer_requests=buffered)
    keys = {}
    if of == "http":
        asked.keys["framework"] = "talker"
        asked.write("talker.py", TALKING_RECORDER)
        keys["plugin_files"] = [str(APPS / "talker" / "talker_plugin.py")]
    with serve(tmp_path, markers, asked, **keys) as server:
        for attack in EVERYTHING:
            for pieces in ways(attack, END if goes_on(attack) else b""):
                assert carry_out(server, attack, pieces) == attack.status
    legitimate = [line for one in EVERYTHING for line in one.reaches * WAYS]
    found = [line for line in asked.seen() if line != ENDED]
    if of == "wsgi":
        found = [line.replace(" /", " /attack/", 1) for line in found]
    assert found == [line for line in legitimate if "/marker/" not in line]
    assert [line for line in markers.seen() if line != ENDED] == [
        line for line in legitimate if "/marker/" in line
    ]


def test_every_attack_has_a_name_and_a_marker():
    """But for the halves and trailers, where the marker would be their end."""
    names = [one.name for one in EVERYTHING]
    assert len(set(names)) == len(names)
    without = [one.name for one in ATTACKS if b"/marker/" not in one.sent]
    assert without == ["in-trailer", "half-2", "half-4", "half-5"]
