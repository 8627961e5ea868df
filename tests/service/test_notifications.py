"""What systemd is told."""

from __future__ import annotations

import os
import socket

import pytest
from twisted.internet.task import Clock

from passtwist.service.notifications import Notifications


class Systemd:
    """A service manager: a socket, and what was said there."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)

    def heard(self):
        """All datagrams since it was last asked."""
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.fixture(params=["file", "abstract"])
def systemd(request, tmp_path):
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"\0passtwist-test-{os.getpid()}"
    systemd = Systemd(address)
    systemd.name = address.replace("\0", "@")
    yield systemd
    systemd.socket.close()


def test_each_step_is_told(systemd):
    """And what names the socket is taken away from processes below us."""
    environ = {"NOTIFY_SOCKET": systemd.name, "PATH": "/bin"}
    clock = Clock()
    notifications = Notifications(clock, environ)
    notifications.ready()
    assert environ == {"PATH": "/bin"}
    notifications.reloading()
    notifications.ready()
    notifications.stopping()
    notifications.stop()
    ready, reloading, *rest = systemd.heard()
    assert (ready, rest) == ("READY=1", ["READY=1", "STOPPING=1"])
    line, time = reloading.split("\n")
    assert line == "RELOADING=1"
    assert time.startswith("MONOTONIC_USEC=")
    assert clock.getDelayedCalls() == []


def test_signs_of_life_come_twice_as_often_as_they_must(systemd):
    """As long as it serves, also after a reload."""
    environ = {
        "NOTIFY_SOCKET": systemd.name,
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    clock = Clock()
    notifications = Notifications(clock, environ)
    notifications.ready()
    notifications.ready()
    clock.pump([15.0] * 3)
    assert environ == {}
    assert systemd.heard() == ["READY=1", "WATCHDOG=1", "READY=1"] + ["WATCHDOG=1"] * 3
    notifications.stop()
    clock.pump([15.0] * 3)
    assert systemd.heard() == []


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "x"},
        {"NOTIFY_SOCKET": "/no/such/socket"},
    ],
)
def test_nobody_has_to_listen(environ):
    """Started by hand, for another process, or by a systemd that is gone."""
    clock = Clock()
    notifications = Notifications(clock, environ)
    notifications.ready()
    notifications.stopping()
    notifications.stop()
    assert clock.getDelayedCalls() == []
