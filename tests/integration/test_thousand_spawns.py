"""A thousand workers later the server is as it was."""

from __future__ import annotations

import http.client
import os
import signal
from contextlib import closing

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

SPAWNS = 1000
# Readings that have to agree: half a second of them.
ENOUGH = 50


def kinds_of_descriptors(pid):
    """How many of each kind a process has open."""
    kinds: dict[str, int] = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            kind = os.readlink(f"/proc/{pid}/fd/{name}").partition(":")[0]
        except FileNotFoundError:
            continue  # the listing's own, or closed meanwhile
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def settled(read):
    """What *read* answers many times over: a connection may still be closing."""
    seen = [read()]

    def is_the_same():
        seen.append(read())
        return len(seen) > ENOUGH and all(one == seen[-1] for one in seen[-ENOUGH:])

    wait_until(is_the_same, f"no change of {seen[-1]}")
    return seen[-1]


def zombies_below(pid):
    """Children of *pid* that nobody has reaped."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = file.read().split()
    found = []
    for child in children:
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    found.append(int(child))
        except FileNotFoundError:
            continue
    return found


def inventory(server):
    """All that could have leaked, once there is one idle worker and no other."""
    wait_until(
        lambda: [one["state"] for one in server.workers("probe")] == ["idle"],
        "one idle worker",
    )
    spawn_server = server.status()["spawn_server"]
    layers = {spawner["kind"]: spawner["pid"] for spawner in spawn_server["spawners"]}
    layers |= {"manager": spawn_server["pid"], "controller": server.process.pid}
    wait_until(
        lambda: not any(zombies_below(pid) for pid in layers.values()),
        "the end of all zombies",
    )
    return {
        "layers": layers,
        "descriptors": settled(
            lambda: {who: kinds_of_descriptors(pid) for who, pid in layers.items()}
        ),
        "sockets": len(list((server.runtime_dir / "sockets").iterdir())),
        "files": len(list(server.runtime_dir.iterdir())),
        "processes": len(server.processes()),
    }


@pytest.mark.timeout(180)
def test_nothing_has_leaked_after_a_thousand_spawns(tmp_path):
    """No descriptor, zombie, process or file; and the layers are still the same."""
    site = Site(tmp_path, spawn_method="smart-lv2")
    with serve(tmp_path, site, access_log="off") as server:
        with closing(
            http.client.HTTPConnection("127.0.0.1", server.port, 30)
        ) as client:

            def ask():
                client.request("GET", "/pid")
                response = client.getresponse()
                return response.status, int(response.read())

            seen = set()
            for number in range(SPAWNS):
                status, worker = ask()
                assert status == 200
                assert worker not in seen, "it was killed"
                seen.add(worker)
                if number == 10:
                    before = inventory(server)
                os.kill(worker, signal.SIGKILL)
            assert ask()[0] == 200
            after = inventory(server)
        assert len(seen) == SPAWNS
    assert after == before
