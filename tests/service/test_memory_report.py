"""What the memory report adds up, and what it leaves out."""

from __future__ import annotations

import os

import pytest_twisted

from passtwist.service.memory import MemorySampler, read
from passtwist.service.memory_report import report

SAMPLES = {
    1: {"pss": 40, "uss": 38, "rss": 50},
    2: {"pss": 8, "uss": 7, "rss": 14},
    3: {"pss": 18, "uss": 14, "rss": 41},
    4: {"pss": 13, "uss": 9, "rss": 39},
    5: {"pss": 12, "uss": 9, "rss": 38},
    6: {"pss": 11, "uss": 8, "rss": 38},
}


def spawner(kind, pid, app="", key=""):
    return {"kind": kind, "pid": pid, "key": key, "app": app, "age_s": 1.0}


def worker(pid, requests=0, state="idle"):
    return {"pid": pid, "state": state, "requests": requests}


def test_processes_are_put_together_by_app_and_added_up():
    """Shared is what RSS has over USS; a further worker costs the mean USS."""
    status = {
        "spawn_server": {
            "spawners": [
                spawner("framework", 3, key="django 5.2"),
                spawner("app", 4, "shop", "k"),
            ]
        },
        "apps": [
            {"name": "shop", "workers": [worker(5, 12, "busy"), worker(6, 3)]},
            {"name": "blog", "workers": []},
        ],
    }
    assert report(status, SAMPLES, 1, 2) == {
        "controller": {"pid": 1, "memory": {**SAMPLES[1], "shared": 12}},
        "spawn_manager": {"pid": 2, "memory": {**SAMPLES[2], "shared": 7}},
        "framework_spawners": [
            {
                "pid": 3,
                "framework": "django 5.2",
                "memory": {**SAMPLES[3], "shared": 27},
            }
        ],
        "apps": [
            {
                "name": "shop",
                "spawners": [{"pid": 4, "memory": {**SAMPLES[4], "shared": 30}}],
                "workers": [
                    {
                        "pid": 5,
                        "state": "busy",
                        "requests": 12,
                        "memory": {**SAMPLES[5], "shared": 29},
                    },
                    {
                        "pid": 6,
                        "state": "idle",
                        "requests": 3,
                        "memory": {**SAMPLES[6], "shared": 30},
                    },
                ],
                "total": {"processes": 3, "pss": 36, "uss": 26},
                "further_worker": 8,
            },
            {
                "name": "blog",
                "spawners": [],
                "workers": [],
                "total": {"processes": 0, "pss": 0, "uss": 0},
                "further_worker": None,
            },
        ],
        "total": {"processes": 6, "pss": 102, "uss": 85},
    }


def test_what_could_not_be_sampled_is_left_out():
    """A worker that has just ended, a manager that is being replaced."""
    status = {
        "spawn_server": {"spawners": [spawner("framework", 7), spawner("app", 8, "a")]},
        "apps": [{"name": "a", "workers": [worker(0, state="starting"), worker(9)]}],
    }
    assert report(status, {1: SAMPLES[1]}, 1, 0) == {
        "controller": {"pid": 1, "memory": {**SAMPLES[1], "shared": 12}},
        "spawn_manager": None,
        "framework_spawners": [],
        "apps": [
            {
                "name": "a",
                "spawners": [],
                "workers": [],
                "total": {"processes": 0, "pss": 0, "uss": 0},
                "further_worker": None,
            }
        ],
        "total": {"processes": 1, "pss": 40, "uss": 38},
    }


class NoSpawnServer:
    """One that has ended."""

    def manager_pid(self):
        return 0

    def spawners(self):
        return []


@pytest_twisted.ensureDeferred
async def test_asking_twice_at_once_samples_once():
    """Both are told when it is done; the controller is among the sampled."""
    sampler = MemorySampler({}, NoSpawnServer())
    told = [sampler.sample(), sampler.sample(), sampler.stop()]
    assert sampler.samples == {}
    for each in told:
        await each
    assert list(sampler.samples) == [os.getpid()]
    sample = sampler.samples[os.getpid()]
    assert sample["uss"] <= sample["pss"] <= sample["rss"]
    await sampler.stop()


def test_a_process_that_is_gone_has_no_memory():
    """0 is no process's number."""
    assert read(0) is None
