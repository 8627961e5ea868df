"""waitress: one process, one thread for all sockets, a few for the app."""

from __future__ import annotations

from importlib.metadata import version

from benchmarks.servers.base import Server, Setup, from_pypi


class Waitress(Server):
    """`waitress-serve`; it has no access log."""

    name = "waitress"
    family = "waitress"
    # With two workers that makes its own default of four. With two threads its
    # rate jumps up and down between seconds.
    threads = 2
    one_process = True
    remark = (
        "One process, with twice as many threads as the others have workers: with "
        "fewer than its default of four it is slower. It warns of each request that "
        "has to wait; its command has no option against that."
    )

    def missing(self) -> str:
        return "" if from_pypi("waitress-serve") else "pip install waitress"

    def version(self) -> str:
        return version("waitress")

    def command(self, setup: Setup) -> list[str]:
        return [
            from_pypi("waitress-serve"),
            f"--listen=127.0.0.1:{setup.port}",
            f"--threads={setup.worker_count * self.threads}",
            setup.site.entry,
        ]
