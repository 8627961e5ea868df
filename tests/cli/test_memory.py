"""`passtwist memory`, asking a server that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from passtwist.cli.main import main
from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

APPS = Path(__file__).parents[1] / "apps"
MIB = r"\d+\.\d MiB"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Flask app with two workers, and an app that nobody has asked for."""
    folder = tmp_path_factory.mktemp("memory")
    keys = {"spawn_method": "smart", "min_instances": 2, "prestart": True}
    busy = Site(folder, "shop", APPS / "tiny_flask", **keys, base_uri="/shop")
    idle = Site(folder, "blog", APPS / "tiny_flask", base_uri="/blog")
    with serve(folder, busy, idle, max_pool_size=4) as running:
        wait_until(lambda: len(running.workers("shop", "idle")) == 2, "two workers")
        assert running.get("/shop/").status == 200
        yield running


def ask(server, *flags):
    """What the command prints, when all went well."""
    told = ("memory", "--runtime-dir", str(server.runtime_dir), *flags)
    done = CliRunner(env={"COLUMNS": "200"}).invoke(main, told, catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_memory_for_programs(server):
    """Every process that the status names, each with a sample of now, added up."""
    status = server.status()
    answer = json.loads(ask(server, "--json"))
    shop, blog = answer["apps"]
    spawners = {
        kind: [one["pid"] for one in server.spawners(kind)]
        for kind in ("framework", "app")
    }
    assert len(spawners["framework"]) == len(spawners["app"]) == 1
    assert answer["controller"]["pid"] == status["pid"]
    assert answer["spawn_manager"]["pid"] == status["spawn_server"]["pid"]
    assert [one["pid"] for one in answer["framework_spawners"]] == spawners["framework"]
    assert [one["pid"] for one in shop["spawners"]] == spawners["app"]
    assert {one["pid"]: one["requests"] for one in shop["workers"]} == {
        one["pid"]: one["requests"] for one in status["apps"][0]["workers"]
    }
    assert blog == {
        "name": "blog",
        "spawners": [],
        "workers": [],
        "total": {"processes": 0, "pss": 0, "uss": 0},
        "further_worker": None,
    }
    processes = [answer["controller"], answer["spawn_manager"]]
    processes += answer["framework_spawners"] + shop["spawners"] + shop["workers"]
    samples = [one["memory"] for one in processes]
    for sample in samples:
        assert 0 < sample["uss"] <= sample["pss"] <= sample["rss"]
        assert sample["shared"] == sample["rss"] - sample["uss"]
    assert answer["total"] == {
        "processes": 6,
        "pss": sum(sample["pss"] for sample in samples),
        "uss": sum(sample["uss"] for sample in samples),
    }
    own = [one["memory"]["uss"] for one in shop["workers"]]
    assert shop["further_worker"] == sum(own) // 2
    # Forked workers share what was loaded: that is what they are forked for.
    assert min(one["memory"]["shared"] for one in shop["workers"]) > max(own)


def test_memory_for_people(server):
    """A table for each app and one for the server, and what it is altogether."""
    lines = [" ".join(line.split()) for line in ask(server).splitlines()]
    expected = [
        rf"shop: {MIB} PSS, workers 2, a further one costs {MIB}",
        "PROCESS PID PSS USS RSS SHARED REQUESTS",
        rf"app spawner \d+( {MIB}){{4}}",
        rf"worker, idle \d+( {MIB}){{4}} \d",
        rf"worker, idle \d+( {MIB}){{4}} \d",
        "",
        r"blog: 0\.0 MiB PSS",
        "",
        "SERVER PID PSS USS RSS SHARED",
        rf"controller \d+( {MIB}){{4}}",
        rf"spawn manager \d+( {MIB}){{4}}",
        rf"framework spawner \d+( {MIB}){{4}}",
        "",
        rf"all 6 processes together: {MIB} PSS",
    ]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


def test_memory_without_a_server(tmp_path):
    """Exit status 1, and where it was looked for."""
    done = CliRunner().invoke(main, ["memory", "--runtime-dir", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"Error: no server is running with the runtime directory {tmp_path}; "
    )
