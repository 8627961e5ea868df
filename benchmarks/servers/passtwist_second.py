"""passtwist with two apps of one framework and one virtualenv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.servers.passtwist_file import Keys, PasstwistFile

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup
    from benchmarks.sites import Site

SECOND = "second"


class PasstwistSecond(PasstwistFile):
    """The first one has a worker from the start, the second is started when asked.

    :param second: the site of the second app, in a folder of its own.
    """

    def __init__(self, method: str, second: Site) -> None:
        super().__init__(method)
        self._second = second

    def apps(self, setup: Setup) -> list[Keys]:
        return [
            self.keys_of(setup.site, name="first", base_uri="/", prestart=True),
            self.keys_of(
                self._second, name=SECOND, base_uri=f"/{SECOND}", prestart=False
            ),
        ]

    def pool_size(self, setup: Setup) -> int:
        """The default: room for both."""
        return 6
