"""What `passtwist memory --json` prints: who has how much memory, measured now.

Runs in: the controller.  Bytes throughout.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twisted.internet.defer import Deferred

    from passtwist.api.interfaces import ISpawnServer
    from passtwist.service.memory import Memory, MemorySampler
    from passtwist.service.status import Status

# JSON; its shape is described where it is made.
Page = dict[str, Any]


class MemoryReport:
    """Samples all processes of the server and adds up what belongs together.

    :param status: tells which processes there are.
    """

    def __init__(
        self, sampler: MemorySampler, status: Status, spawn_server: ISpawnServer
    ) -> None:
        self._sampler = sampler
        self._status = status
        self._spawn_server = spawn_server

    def page(self) -> Deferred[Page]:
        """Sample, then fire with the report; milliseconds for each process."""
        return self._sampler.sample().addCallback(self._sampled)

    def _sampled(self, _: None) -> Page:
        pids = (os.getpid(), self._spawn_server.manager_pid())
        return report(self._status.page(), self._sampler.samples, *pids)


def report(
    status: Page, samples: Mapping[int, Memory], controller: int, manager: int
) -> Page:
    """The report, from a status page and the samples of its processes.

    A process that could not be sampled is left out: it has ended meanwhile, or
    it is another user's.

    :param manager: pid of the spawn manager, 0 for none.
    """
    spawners = status["spawn_server"]["spawners"]
    page: Page = {
        "controller": _process(controller, samples),
        "spawn_manager": _process(manager, samples),
        "framework_spawners": [
            {**found, "framework": one["key"]}
            for one in spawners
            if one["kind"] == "framework" and (found := _process(one["pid"], samples))
        ],
        "apps": [_app(app, spawners, samples) for app in status["apps"]],
    }
    processes = [page["controller"], page["spawn_manager"], *page["framework_spawners"]]
    for app in page["apps"]:
        processes += [*app["spawners"], *app["workers"]]
    page["total"] = _total(processes)
    return page


def _app(app: Page, spawners: Iterable[Page], samples: Mapping[int, Memory]) -> Page:
    own = [
        found
        for one in spawners
        if one["kind"] == "app" and one["app"] == app["name"]
        if (found := _process(one["pid"], samples))
    ]
    workers = [
        {**found, "state": one["state"], "requests": one["requests"]}
        for one in app["workers"]
        if (found := _process(one["pid"], samples))
    ]
    uss = [one["memory"]["uss"] for one in workers]
    return {
        "name": app["name"],
        "spawners": own,
        "workers": workers,
        "total": _total([*own, *workers]),
        # What one of them has for itself is what another would add, and what
        # ending one gives back.
        "further_worker": sum(uss) // len(uss) if uss else None,
    }


def _process(pid: int, samples: Mapping[int, Memory]) -> Page | None:
    sample = samples.get(pid)
    if sample is None:
        return None
    return {"pid": pid, "memory": {**sample, "shared": sample["rss"] - sample["uss"]}}


def _total(processes: Iterable[Page | None]) -> Page:
    """PSS only: it counts each shared page once, the sum of RSS does not."""
    found = [one["memory"] for one in processes if one is not None]
    return {
        "processes": len(found),
        "pss": sum(memory["pss"] for memory in found),
        "uss": sum(memory["uss"] for memory in found),
    }
