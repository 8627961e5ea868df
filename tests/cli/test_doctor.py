"""`passtwist doctor`: real apps, in processes of their own."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from passtwist.testing.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
HAZARDS = ROOT / "tests" / "apps" / "hazards"
PASSTWIST = [sys.executable, "-c", "from passtwist.cli.main import main; main()"]
RULE = (
    'can\'t be forked safely; spawn_method = "auto" starts its workers without '
    'forks, "smart" refuses to start it'
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the command finds its temporary folder, which it has to empty."""
    with tempfile.TemporaryDirectory(prefix="ptw-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        if os.geteuid() == 0:
            # The folder is root's, and closed for others.
            monkeypatch.setenv("PASSTWIST_DEFAULT_USER", "root")
        yield tmp_path
        assert os.listdir(temporary) == []


def run(folder, *arguments):
    """Exit status, standard output and standard error of the command."""
    done = subprocess.run(
        [*PASSTWIST, "doctor", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def doctor(folder):
    """Run the command on a copy of one of the hazards, or on new *files*."""

    def doctor(name, *flags, **files):
        if files:
            (folder / name).mkdir()
        else:
            shutil.copytree(HAZARDS / name, folder / name)
        for file, text in files.items():
            (folder / name / f"{file}.py").write_text(text)
        return run(folder, name, "--entry=site_app.py:app", *flags)

    return doctor


@pytest.mark.parametrize(
    ("app", "needs"),
    [
        (ROOT / "examples" / "django_site", "django"),
        (ROOT / "examples" / "flask_site", "flask"),
        (ROOT / "examples" / "wsgi_hello", "wsgiref"),
        (ROOT / "tests" / "apps" / "lazy_engine", "sqlalchemy"),
    ],
    ids=lambda one: one.name if isinstance(one, Path) else "",
)
def test_an_app_that_connects_lazily_raises_no_alarm(folder, app, needs):
    """Sites as they are written by people who know nothing of forks."""
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"needs {needs}")
    left_out = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(app, folder / app.name, ignore=left_out)
    assert run(folder, app.name) == (0, f"app {app.name}: can be forked safely\n", "")


def test_an_app_that_can_be_forked(doctor):
    """Exit status 0, one line."""
    assert doctor("clean") == (0, "app clean: can be forked safely\n", "")


def test_an_app_that_can_not_be_forked(doctor):
    """Exit status 1; what, where, what to do, and how to allow it."""
    assert doctor("thread_pool") == (
        1,
        (
            f"app thread_pool: {RULE}\n"
            "\n"
            "unsafe:  thread 'pool_0' runs; workers would not have it\n"
            "         made at site_app.py:6\n"
            "         Make the executor at the first use: a forked one takes work and "
            "never does it.\n"
            '         If it is harmless: fork_allow = ["thread:pool_0"]\n'
        ),
        "",
    )


def test_what_is_allowed_is_left_out(doctor):
    """To try what fork_allow would do."""
    allowed = "--allow=thread:pool_*"
    assert doctor("thread_pool", allowed) == (
        0,
        "app thread_pool: can be forked safely\n",
        "",
    )


def test_the_self_test_is_part_of_it(doctor):
    """It has no place in the code, only a step."""
    source = (
        "import os, socket\n"
        "def fail(*arguments, **keywords): raise ValueError('no resolver')\n"
        "def spoil(): socket.getaddrinfo = fail\n"
        "os.register_at_fork(after_in_child=spoil)\n"
        "def app(environ, start_response): pass\n"
    )
    status, printed, _ = doctor("spoilt", site_app=source)
    assert status == 1
    assert printed.splitlines()[2] == (
        "unsafe:  a forked copy of the app was tested, and the step 'resolve' raised "
        "ValueError: no resolver"
    )


def test_an_app_that_can_not_be_loaded(doctor):
    """Exit status 2; the error, what was printed, and the way it went."""
    source = "print('so far')\nimport shop_settings\n"
    status, printed, said = doctor("shop", site_app=source)
    assert (status, said) == (2, "")
    first, second, *rest = printed.splitlines()
    assert first == "app shop could not be loaded"
    assert re.fullmatch(
        r"app shop: step load_app \(app spawner \d+\) raised ModuleNotFoundError: No "
        "module named 'shop_settings'",
        second,
    )
    assert "ModuleNotFoundError: No module named 'shop_settings'" in rest
    assert rest[rest.index("Printed:") + 1] == "so far"
    steps = [line.split()[-5:-3] for line in rest[rest.index("Steps:") + 1 :]]
    assert steps[-2:] == [["enter_app", "done"], ["load_app", "failed"]]


def test_a_folder_that_is_no_app(doctor):
    """Exit status 2; it says what is wrong."""
    status, printed, said = doctor("empty", "--framework=zope", site_app="")
    assert (status, printed) == (2, "")
    assert said.startswith("Error: app empty in ") and "zope" in said


def test_an_interrupt_leaves_nothing_behind(folder):
    """Though the app is still being loaded."""
    (folder / "slow").mkdir()
    source = (
        "import os, threading\nfrom pathlib import Path\n"
        "Path('pid').write_text(str(os.getpid()))\nthreading.Event().wait(60)\n"
    )
    (folder / "slow" / "site_app.py").write_text(source)
    command = [*PASSTWIST, "doctor", "slow", "--entry=site_app.py:app"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE) as process:
        pid = folder / "slow" / "pid"
        wait_until(lambda: pid.exists() and pid.read_text(), "the app to be loaded")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.decode().strip()) == (1, "Aborted!")
    wait_until(lambda: not Path("/proc", pid.read_text()).exists(), "the app's end")
