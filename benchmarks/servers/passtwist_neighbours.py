"""passtwist with two apps: one that is measured, and one beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.servers.passtwist_file import Keys, PasstwistFile

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup
    from benchmarks.sites import Site

# The measured one has all other paths.
BASE_URI = "/noisy"
NEIGHBOUR = "noisy"

# What an operator would set for an app that is not to be trusted.
PRECAUTIONS = {
    "max_request_time": "1s",
    "memory_limit": "64MiB",
    "hard_memory_limit": "128MiB",
}


class PasstwistNeighbours(PasstwistFile):
    """Each of the two may have as many workers as the setup says.

    :param neighbour: the site of the one that is not measured.
    """

    def __init__(self, neighbour: Site) -> None:
        super().__init__("smart")
        self._neighbour = neighbour
        self.name = f"{self.name}, two apps"
        self.remark = "The app that is measured is the first one in the file."

    def apps(self, setup: Setup) -> list[Keys]:
        workers = {
            "min_instances": setup.worker_count,
            "max_instances": setup.worker_count,
        }
        return [
            self.keys_of(setup.site, name="measured", prestart=True, **workers),
            self.keys_of(
                self._neighbour,
                name=NEIGHBOUR,
                base_uri=BASE_URI,
                **workers,
                **PRECAUTIONS,
            ),
        ]

    def pool_size(self, setup: Setup) -> int:
        return 2 * setup.worker_count
