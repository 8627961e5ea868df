"""passtwist that keeps idle connections for longer than any measure takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.servers.passtwist_file import NAME, Keys, PasstwistFile

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup


class PasstwistPatient(PasstwistFile):
    """By default an idle connection is closed after 65 seconds."""

    def __init__(self) -> None:
        super().__init__("smart")
        self.name = f"{self.name}, idle clients"
        self.remark = 'Its file has keep_alive = "10m".'

    def files(self, setup: Setup) -> dict[str, str]:
        apps = super().files(setup)[NAME]
        return {NAME: f'[server]\nkeep_alive = "10m"\n{apps}'}

    def apps(self, setup: Setup) -> list[Keys]:
        return [self.keys_of(setup.site, min_instances=setup.worker_count)]
