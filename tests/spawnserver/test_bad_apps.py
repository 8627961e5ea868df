"""Apps that fail, misbehave or hang while they are loaded."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

import pytest

from passtwist.model import (
    APP,
    APP_ERROR,
    FRAMEWORK,
    WORKER,
    ExitStatus,
)
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import is_alive, make_app, reap, until

BOTH = ("framework", "app")
ROUTES = [((), WORKER, "worker"), (("app",), APP, "app spawner")]
by_both_ways = pytest.mark.parametrize(
    ("route", "who", "name"), ROUTES, ids=["exec", "spawner"]
)


@by_both_ways
def test_a_missing_module_is_the_apps_fault_and_names_the_interpreter(
    driver, tmp_path, route, who, name
):
    """The summary says who, where and what; the traceback shows only the app."""
    app = make_app(tmp_path / "shop", "def go():\n    import blog\ngo()\n")
    spawn = driver.spawn(app, route)
    spawn.wait()
    failure = spawn.failure
    pid = spawn.pid(who)
    assert failure.category == APP_ERROR
    assert (failure.who, failure.pid, failure.step) == (who, pid, "load_app")
    assert failure.summary == (
        f"app shop: step load_app ({name} {pid}) raised ModuleNotFoundError: "
        "No module named 'blog'"
    )
    assert sys.executable in failure.advice
    assert failure.detail == (
        "Traceback (most recent call last):\n"
        f'  File "{tmp_path}/shop/site_app.py", line 3, in <module>\n'
        "    go()\n"
        f'  File "{tmp_path}/shop/site_app.py", line 2, in go\n'
        "    import blog\n"
        "ModuleNotFoundError: No module named 'blog'\n"
    )
    assert spawn.steps("failed") == [f"{who}: load_app"]


@by_both_ways
@pytest.mark.parametrize(
    ("source", "summary", "advice"),
    [
        ("def app(:\n", "SyntaxError", "Python"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", "__main__"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", ""),
        ("raise ValueError('\\udcff')\n", "ValueError: ", ""),
        ("application = 3\n", "has no attribute 'app'", "Nothing"),
        ("app = 3\n", "which can't be called", "callable"),
        ("def aplication(e, s): pass\n", "no attribute 'app'", "aplication"),
        ("open('missing.txt')\n", "FileNotFoundError", "Relative paths"),
    ],
    ids=lambda text: text.split("\n")[0][:20].replace(" ", "_"),
)
def test_an_app_that_cannot_be_loaded_says_why(
    driver, tmp_path, route, who, name, source, summary, advice
):
    """Each with a word of what to do about it."""
    spawn = driver.spawn(make_app(tmp_path / "bad", source), route)
    spawn.wait()
    assert spawn.failure.category == APP_ERROR
    assert summary in spawn.failure.summary
    assert advice in spawn.failure.advice


def test_failures_read_the_same_under_each_interpreter(driver, tmp_path, python):
    """The app's own frames and none of ours, also behind a cause."""
    source = (
        "try:\n    import blog\nexcept ImportError as error:\n"
        "    raise RuntimeError('no blog') from error\n"
    )
    spawn = driver.spawn(make_app(tmp_path / "bad", source, python=python), BOTH)
    spawn.wait()
    failure = spawn.failure
    assert failure.summary.endswith("raised RuntimeError: no blog")
    frames = [line for line in failure.detail.splitlines() if "  File " in line]
    assert frames == [
        f'  File "{tmp_path}/bad/site_app.py", line {number}, in <module>'
        for number in (2, 4)
    ]


@by_both_ways
def test_an_app_that_exits_behind_our_back_is_seen_by_its_death(
    driver, tmp_path, route, who, name
):
    """os._exit: the handshake just ends, and the status is known."""
    app = make_app(tmp_path / "gone", "import os\nos._exit(3)\n")
    spawn = driver.spawn(app, route)
    spawn.wait()
    assert spawn.only(type(None)) == []
    assert spawn.records[-1].step == "load_app"
    if who == WORKER:
        assert reap(spawn.pid(WORKER)) == ExitStatus(code=3)
    else:
        assert driver.notice().body == {
            "kind": APP,
            "pid": spawn.pid(APP),
            "app": "gone",
            "code": 3,
            "signal": None,
        }


@by_both_ways
def test_an_app_that_closes_every_descriptor_ends_and_hangs_nobody(
    driver, tmp_path, route, who, name
):
    """As daemons do: lifeline, handshake and channel are gone with the rest."""
    source = "import os\nos.closerange(3, 1000)\n" + HELLO
    spawn = driver.spawn(make_app(tmp_path / "daemon", source), route)
    spawn.wait()
    assert spawn.records[-1].step == "load_app"
    if who == WORKER:
        assert reap(spawn.pid(WORKER)) == ExitStatus(code=1)
    else:
        # It is killed: without its channel it is of no use to anybody.
        assert driver.notice().body["pid"] == spawn.pid(APP)
    driver.spawn(make_app(tmp_path / "next", HELLO), route).ready()


@by_both_ways
def test_an_app_that_becomes_a_daemon_at_import_is_left_behind(
    driver, tmp_path, route, who, name
):
    """It forks, the parent leaves: that ends the spawn; the group is killed."""
    source = (
        "import os, time\nif os.fork():\n    os._exit(0)\n"
        "open('pid', 'w').write(str(os.getpid()))\n"
        "while True:\n    time.sleep(100)\n"
    )
    app = make_app(tmp_path / "daemon", source)
    spawn = driver.spawn(app, route)
    spawn.wait_for_step("load_app")
    if who == WORKER:
        # The group is the controller's to kill, before it reaps.
        until(lambda: not is_alive(spawn.pid(WORKER)), "the parent's end")
        os.killpg(spawn.pid(WORKER), signal.SIGKILL)
        assert reap(spawn.pid(WORKER)) == ExitStatus(code=0)
    else:
        assert driver.notice().body["code"] == 0
    spawn.wait()


@by_both_ways
def test_five_megabytes_on_stdout_at_import_do_no_harm(
    driver, tmp_path, route, who, name
):
    """stdout is a pipe for the log and nothing else."""
    source = "import sys\nsys.stdout.write('x' * 79 * 65536)\n" + HELLO
    spawn = driver.spawn(make_app(tmp_path / "loud", source), route)
    spawn.ready()
    assert len(spawn.output[who]) == 79 * 65536
    assert spawn.connect().get().startswith("hello")


HELPERS = """
import os, subprocess
helper = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
if os.fork() == 0:
    while True:
        os.read(os.pipe()[0], 1)
with open("pids", "w") as file:
    file.write(str(helper.pid))
""" + HELLO.replace("def app", "raise ImportError\ndef app")


def test_processes_that_a_failing_app_has_forked_end_with_its_spawner(driver, tmp_path):
    """The layer above kills the whole group."""
    spawn = driver.spawn(make_app(tmp_path / "forks", HELPERS), ("app",))
    spawn.wait_for_step("load_app")
    assert driver.notice().body["pid"] == spawn.pid(APP)
    helper = int((tmp_path / "forks" / "pids").read_text())
    until(lambda: not is_alive(helper), "the end of the helper")
    # The forked copy of the app held the handshake; it is gone, too.
    spawn.wait()


def test_all_spawns_that_wait_for_a_failing_app_are_told(driver, tmp_path):
    """None of them has to find out by an end-of-file."""
    source = (
        "import os\nos.read(os.open('gate', os.O_RDONLY), 1)\nraise ValueError(4)\n"
    )
    app = make_app(tmp_path / "slow", source)
    os.mkfifo(tmp_path / "slow" / "gate")
    first = driver.spawn(app, ("app",))
    first.wait_for_step("load_app")
    others = [driver.spawn(app, ("app",)) for _ in range(3)]
    for spawn in others:
        spawn.wait_for_step("find_app_spawner")
        until(lambda each=spawn: "spawn manager: find_app_spawner" in each.turned())
    with open(tmp_path / "slow" / "gate", "wb"):
        pass
    for spawn in (first, *others):
        spawn.wait()
    assert len({spawn.failure for spawn in (first, *others)}) == 1


def test_the_next_spawn_after_a_failure_loads_the_mended_app(driver, tmp_path):
    """A spawner that failed is of no use to anybody and is gone."""
    app = make_app(tmp_path / "site", "import nothing_like_it\n")
    broken = driver.spawn(app, BOTH)
    broken.wait()
    assert broken.failure.who == APP
    driver.notice()
    make_app(tmp_path / "site", HELLO)
    mended = driver.spawn(app, BOTH)
    mended.ready()
    assert mended.started() == [APP, WORKER]


@pytest.mark.parametrize("route", [(), ("app",), BOTH], ids=str)
def test_an_interpreter_that_is_missing_is_named(driver, hello, route):
    """Whichever layer it was wanted for."""
    spawn = driver.spawn(replace(hello, python="/nowhere/python3"), route)
    spawn.wait()
    layer = (*route, WORKER)[0]
    assert (spawn.failure.who, spawn.failure.category) == (layer, APP_ERROR)
    assert spawn.failure.summary == (
        "app hello: its interpreter /nowhere/python3 can't be started: "
        "No such file or directory"
    )


@pytest.mark.parametrize("route", [(), ("app",), BOTH], ids=str)
def test_a_root_that_is_missing_fails_the_spawn_in_its_first_step(driver, hello, route):
    """The folder is named."""
    spawn = driver.spawn(replace(hello, root="/nowhere/at/all"), route)
    spawn.wait()
    assert spawn.failure.step == "enter_app"
    assert "'/nowhere/at/all'" in spawn.failure.summary


FAILING_HOOKS = (
    """
from passtwist.lifecycle import on

@on("EVENT")
def fail():
    raise RuntimeError("hook")
"""
    + HELLO
)


@pytest.mark.parametrize(
    ("event", "who", "step"),
    [
        ("before_fork", APP, "before_fork"),
        ("after_fork", WORKER, "after_fork"),
        ("worker_started", WORKER, "start_worker"),
    ],
)
def test_a_hook_that_raises_fails_the_spawn(driver, tmp_path, event, who, step):
    """In the process and step where it was called."""
    spawn = driver.spawn(
        make_app(tmp_path / "hooks", FAILING_HOOKS.replace("EVENT", event)), ("app",)
    )
    spawn.wait()
    failure = spawn.failure
    assert (failure.who, failure.step, failure.category) == (who, step, APP_ERROR)
    assert failure.summary.endswith("raised RuntimeError: hook")
    assert failure.advice == (
        f"It comes from fail(), which is called at {event}: "
        f"see {tmp_path}/hooks/site_app.py, line 6."
    )
    if who == WORKER:
        assert reap(failure.pid) == ExitStatus(code=1)


def test_a_spawn_that_was_given_up_makes_no_worker(driver, tmp_path):
    """The controller closed its end of the handshake while the app was loading."""
    source = "import os\nos.read(os.open('gate', os.O_RDONLY), 1)\n" + HELLO
    app = make_app(tmp_path / "slow", source)
    os.mkfifo(tmp_path / "slow" / "gate")
    spawn = driver.spawn(app, ("app",))
    spawn.wait_for_step("load_app")
    spawn.give_up()
    with open(tmp_path / "slow" / "gate", "wb"):
        pass
    next_one = driver.spawn(app, ("app",))
    worker = next_one.ready()
    assert next_one.started() == [WORKER]
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        children = {int(pid) for pid in file.read().split()}
    assert children == {driver.manager, worker}


FRAMEWORK_HALF = """
def preload(app):
    import a_framework_that_is_not_installed

def load(app):
    return app.load_entry()
"""


def test_a_framework_that_cannot_be_imported_fails_the_spawn(driver, hello):
    """In the framework spawner's name."""
    (driver.code / "frameworks" / "broken.py").write_text(FRAMEWORK_HALF)
    spawn = driver.spawn(replace(hello, child="broken.py"), BOTH)
    spawn.wait()
    failure = spawn.failure
    assert (failure.who, failure.step) == (FRAMEWORK, "preload_framework")
    assert "a_framework_that_is_not_installed" in failure.detail
    assert driver.notice().body["kind"] == FRAMEWORK
    assert spawn.started() == [FRAMEWORK]


def test_sigkill_during_load_is_reported_as_a_signal(driver, tmp_path):
    """The out-of-memory killer is no failure of the app's code."""
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    spawn = driver.spawn(make_app(tmp_path / "oom", source), ("app",))
    spawn.wait()
    assert driver.notice().body["signal"] == signal.SIGKILL
