"""`memory_limit` and `hard_memory_limit`, with processes that really take memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

# LOADED is in the app spawner, and shared with it as long as nobody writes to it.
GREEDY = """
from probe_app import application as probe, note, text_answer, wait_for_gate
LOADED = b"x" * (80 * 1024 * 1024)
TAKEN = []

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.endswith("/take"):
        TAKEN.append(b"y" * (80 * 1024 * 1024))
        note("taken")
        if environ["QUERY_STRING"]:
            wait_for_gate("taken")
        return text_answer(start_response, "taken")
    return probe(environ, start_response)
"""


def greedy_site(parent, **keys):
    """An app that takes 80 MiB when it is loaded, and more when it is asked to."""
    site = Site(parent, spawn_method="smart-lv2", **keys)
    (site.root / "passenger_wsgi.py").rename(site.root / "probe_app.py")
    site.write("passenger_wsgi.py", GREEDY)
    return site


def wait_for_end_of(pid):
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {pid}")


def test_a_worker_over_its_limit_is_replaced_and_nobody_notices(tmp_path):
    """It goes when another is there; what it shares with others does not count."""
    site = greedy_site(tmp_path, memory_limit="60MiB", max_instances=1)
    with serve(tmp_path, site) as server:
        first = server.get("/pid").text
        assert server.get("/take").text == "taken"
        answers = []

        def is_replaced():
            answers.append(server.get("/pid"))
            return answers[-1].text != first

        wait_until(is_replaced, "another worker")
        assert {answer.status for answer in answers} == {200}
        wait_for_end_of(int(first))
        left = f"worker {first} of probe exited with status 0"
        wait_until(lambda: left in server.log(), left)
        log = server.log()
        second = answers[-1].text
        # The one that has taken nothing stays.
        sampled = wait_until(
            lambda: [one for one in server.workers("probe") if one["memory"]],
            "a sample",
        )
        assert [str(worker["pid"]) for worker in sampled] == [second]
        memory = sampled[0]["memory"]
        assert memory["uss"] < 60 * 2**20 < 80 * 2**20 < memory["rss"]
        assert server.get("/pid").text == second
        assert log.count(" is replaced: ") == 1
        assert f"worker {first} of probe is replaced: it takes " in log
        assert " MiB (memory_limit)" in log


def test_a_worker_over_its_hard_limit_is_killed_at_once(tmp_path):
    """With the request in it, which is 502; the app's other workers serve."""
    site = greedy_site(tmp_path, hard_memory_limit="60MiB", min_instances=2)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        wait_until(
            lambda: (
                server.get("/").status and len(server.workers("probe", "idle")) == 2
            ),
            "two workers",
        )
        answer = client.submit(server.get, "/take?wait")
        site.wait_for_notes("taken")
        (worker,) = server.workers("probe", "busy")
        assert answer.result(30).status == 502
        assert server.get("/").status == 200
        wait_for_end_of(worker["pid"])
        server.wait_for_log("MiB (hard_memory_limit)")
        killed = f"worker {worker['pid']} of probe was killed by signal SIGKILL (9)\n"
        server.wait_for_log(killed)
        wait_until(lambda: len(server.workers("probe", "idle")) == 2, "two workers")
        assert site.notes() == ["taken"]


def test_apps_without_a_limit_may_take_what_they_want(tmp_path):
    """Beside one that has a limit."""
    limited = greedy_site(
        tmp_path, name="limited", base_uri="/limited", memory_limit="60MiB"
    )
    free = greedy_site(tmp_path, name="free", base_uri="/free")
    with serve(tmp_path, limited, free) as server:
        pids = {}
        for site in (free, limited):
            pids[site.name] = server.get(f"/{site.name}/pid").text
            assert server.get(f"/{site.name}/take").text == "taken"
        wait_for_end_of(int(pids["limited"]))
        assert server.get("/free/pid").text == pids["free"]
