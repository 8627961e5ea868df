"""Passenger in nginx, which a reader of the tables looks for."""

from __future__ import annotations

from benchmarks.servers.base import Server, Setup
from benchmarks.servers.passenger import THREADS_ARE_SOLD, version_of_passenger
from benchmarks.servers.running import Failed


class PassengerNginx(Server):
    """Its module for nginx is built by Passenger's makers, but not by Debian."""

    name = "passenger nginx"
    family = "passenger"
    remark = THREADS_ARE_SOLD

    def missing(self) -> str:
        return "Debian has no Passenger module for nginx"

    def version(self) -> str:
        return version_of_passenger()

    def command(self, setup: Setup) -> list[str]:
        raise Failed(self.missing())
