"""passtwist with a way to keep the loaded heap shared that is not the default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.servers.passtwist_file import Keys, PasstwistFile

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup

IMMORTAL_SINCE, IMMORTAL_UNTIL = (3, 12), (3, 13)


class PasstwistFreeze(PasstwistFile):
    """`freeze` has no flag: the app's settings are in a file.

    :param freeze: a value of that setting.
    """

    def __init__(self, freeze: str = "immortal") -> None:
        super().__init__("smart")
        self.freeze = freeze
        self.name = f"{self.name}, freeze={freeze}"
        self.remark = f'Its file has freeze = "{freeze}" beside what the flags say.'

    def missing(self) -> str:
        here = sys.version_info[:2]
        if self.freeze == "immortal" and not IMMORTAL_SINCE <= here <= IMMORTAL_UNTIL:
            return f"needs CPython 3.12 or 3.13; this run is of {here[0]}.{here[1]}"
        return super().missing()

    def apps(self, setup: Setup) -> list[Keys]:
        return [
            self.keys_of(
                setup.site,
                min_instances=setup.worker_count,
                threads=self.threads,
                freeze=self.freeze,
            )
        ]
