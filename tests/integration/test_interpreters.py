"""One server, apps in virtualenvs of every CPython that the machine has."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.integration.sites import Site, serve

METHODS = ("conservative", "smart-lv2", "smart")


def what_it_has_by_itself(python):
    """sys.path and the prefix of an interpreter that nobody interferes with."""
    code = "import json, sys; print(json.dumps([sys.path, sys.prefix]))"
    told = subprocess.run(
        [python, "-c", code],
        cwd="/",
        env={},
        capture_output=True,
        check=True,
        timeout=30,
    )
    path, prefix = json.loads(told.stdout)
    return [place for place in path if place], prefix


@pytest.mark.interpreter
@pytest.mark.parametrize("method", METHODS)
def test_apps_of_every_interpreter_are_served_by_one_server(
    tmp_path, interpreters, method
):
    """Each runs in its own, with nothing of the server's in sys.path or loaded."""
    sites = {}
    for version, python in interpreters.items():
        name = f"python{version[0]}{version[1]}"
        site = Site(tmp_path, name, base_uri=f"/{name}", spawn_method=method)
        make = [python, "-m", "venv", "--without-pip", site.root / ".venv"]
        subprocess.run(make, check=True, timeout=60)
        sites[version] = site
    with serve(tmp_path, *sites.values(), max_pool_size=len(sites)) as server:
        for version, site in sites.items():
            facts = json.loads(server.get(f"/{site.name}/about").text)
            python = str(site.root / ".venv" / "bin" / "python")
            path, prefix = what_it_has_by_itself(python)
            assert tuple(facts["version"]) == version
            assert facts["path"] == [str(site.root), *path]
            assert (facts["prefix"], prefix) == (str(site.root / ".venv"),) * 2
            assert facts["folder"] == str(site.root)
            foreign = {"twisted", "zope", "attr", "pluggy", "django", "site-packages"}
            assert foreign.isdisjoint(facts["modules"])
            assert server.app(site.name)["last_spawn_error"] is None
        # All at the same time, and after each other's starts.
        running = {
            version: [os.readlink(f"/proc/{worker['pid']}/exe") for worker in workers]
            for version, site in sites.items()
            if (workers := server.workers(site.name))
        }
        assert running == {
            version: [os.path.realpath(python)]
            for version, python in interpreters.items()
        }
