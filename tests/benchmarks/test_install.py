"""The installer of what is compared with: one refusal keeps nothing else out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import attempts, install
from benchmarks.install import debian_packages
from benchmarks.packages import (
    NONE_STARTS,
    Refused,
    Source,
    end_of,
    no_services_started,
    run,
)


class Shelf(Source):
    """Packages that are made up; some of them can't be had."""

    def __init__(self, here=(), refused=()):
        self.here = [*here]
        self.refused = refused
        self.asked = []

    def has(self, name):
        return name in self.here

    def install(self, name):
        self.asked.append(name)
        if name in self.refused:
            raise Refused("no compiler")
        self.here.append(name)


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """Where the installer remembers, and what."""
    file = tmp_path / "share" / "in-vain.json"
    monkeypatch.setattr(attempts, "REMEMBERED", file)
    return attempts.in_vain


def test_one_that_cannot_be_installed_keeps_no_other_out(memory, capsys):
    """They are taken one by one; it is said and remembered what became of each."""
    shelf = Shelf(here=["wrk"], refused=["uwsgi"])
    install.install(shelf, ["wrk", "uwsgi", "granian"])
    assert shelf.asked == ["uwsgi", "granian"]
    assert shelf.here == ["wrk", "granian"]
    assert memory() == {"uwsgi": "no compiler"}
    *said, last = capsys.readouterr().err.splitlines()
    assert said == [
        "uwsgi: being installed ...",
        "uwsgi: could not be installed: no compiler",
        "granian: being installed ...",
    ]
    assert last.startswith("granian: installed in ")


def test_what_is_missing_is_told_with_what_was_tried(memory):
    """A remedy that was of no use would be the wrong answer."""
    install.install(Shelf(refused=["uwsgi"]), ["uwsgi"])
    told = attempts.explained("pip install uwsgi")
    assert told == "pip install uwsgi (tried; uwsgi: no compiler)"
    assert attempts.explained("pip install granian") == "pip install granian"
    install.install(Shelf(here=["uwsgi"]), ["uwsgi"])
    assert attempts.explained("pip install uwsgi") == "pip install uwsgi"
    assert memory() == {}


def test_a_memory_that_is_broken_is_no_memory(memory):
    """It is a convenience; nothing fails because of it."""
    attempts.REMEMBERED.parent.mkdir()
    attempts.REMEMBERED.write_text("{")
    assert memory() == {}
    attempts.remember("uwsgi", "no compiler")
    assert memory() == {"uwsgi": "no compiler"}


def test_reasons_tell_nothing_of_this_machine():
    """They go into reports that others read."""
    text = "could not fetch https://index.example/simple/uwsgi/ into /tmp/pip-x/y"
    assert attempts.for_others(text) == "could not fetch URL into PATH"


def test_the_reason_is_the_last_that_a_failing_command_says_of_errors():
    """pip and apt-get say much else."""
    said = "Collecting uwsgi\nERROR: no gcc\nE: held\n[notice] new pip\nhint: read\n"
    assert end_of(said) == "ERROR: no gcc; E: held"
    assert end_of("one\ntwo\n\nthree\nfour\n") == "two; three; four"
    with pytest.raises(Refused, match=r"^E: no such package$"):
        run([sys.executable, "-c", "raise SystemExit('E: no such package')"], 60)
    with pytest.raises(Refused, match=r"^exit status 3$"):
        run([sys.executable, "-c", "raise SystemExit(3)"], 60)


def test_what_hangs_is_ended_with_all_that_it_started():
    """A compiler that pip waits for, too: the pipe is closed by all of them."""
    hang = "import subprocess; subprocess.run(['sleep', '600'])"
    with pytest.raises(Refused, match=r"^took longer than 0\.1 s$"):
        run([sys.executable, "-c", hang], 0.1)


def test_no_service_is_started_while_packages_are_installed(tmp_path):
    """Debian asks a script, which says so only meanwhile."""
    policy = tmp_path / "policy-rc.d"
    with no_services_started(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_a_policy_that_a_killed_run_has_left_goes_with_the_next(tmp_path):
    """Else no service of this machine would ever start again."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text(NONE_STARTS)
    with no_services_started(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_a_policy_of_somebody_else_stays(tmp_path):
    """He knows better what may start."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    with no_services_started(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_without_wrk_nothing_can_be_measured(memory, monkeypatch, tmp_path):
    """That alone makes the installer fail."""
    monkeypatch.setenv("PATH", str(tmp_path))
    told = "Nothing can be measured without wrk: apt-get install wrk"
    assert install.without_load() == told
    (tmp_path / "wrk").write_text("#!/bin/sh\n")
    (tmp_path / "wrk").chmod(0o755)
    assert install.without_load() == ""


def test_headers_of_python_come_from_debian_for_its_own_python_only(
    monkeypatch, tmp_path
):
    """Another's interpreter brings its own."""
    paths = {"include": str(tmp_path)}
    monkeypatch.setattr("sysconfig.get_path", paths.__getitem__)
    header = f"python3.{sys.version_info.minor}-dev"
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert header in [one.name for one in debian_packages()]
    monkeypatch.setattr(sys, "base_prefix", "/opt/python")
    assert header not in [one.name for one in debian_packages()]
