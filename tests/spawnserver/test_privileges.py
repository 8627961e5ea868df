"""Becoming an app's user, in a process of its own each time."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from passtwist.model import APP
from tests.spawnserver.driver import kill, make_app

ROOT = Path(__file__).parents[2]
CAP_SYS_RESOURCE = 24

# Runs BEFORE, takes the identity, tells what it is then.
TAKE = """
import json, os, resource, sys
sys.path.insert(0, sys.argv[1])
from passtwist.model import AppSpec
from passtwist.spawnserver import privileges

fields = json.loads(sys.argv[2])
for name in ("groups", "limits"):
    fields[name] = tuple(map(tuple, fields[name]) if name == "limits" else fields[name])
app = AppSpec("shop", "/", **fields)
exec(sys.argv[3])
try:
    privileges.take(app, app.umask)
except privileges.NotTaken as error:
    print(json.dumps([str(error), error.advice]))
    raise SystemExit
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":", 1) for line in lines)
names = ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Umask")
found = {name: status[name].split() for name in names}
found["cwd"] = os.getcwd()
found["nofile"] = resource.getrlimit(resource.RLIMIT_NOFILE)
print(json.dumps(found))
"""


def take(before="", **fields):
    """What the process says after it, or of its failure."""
    fields = {"groups": (), "limits": (), **fields}
    told = subprocess.run(
        [sys.executable, "-c", TAKE, str(ROOT), json.dumps(fields), before],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(told.stdout)


def test_without_a_user_nothing_but_limits_umask_and_privileges_change():
    """As for a server that is one user for everything."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 64 if soft == resource.RLIM_INFINITY else min(64, soft)
    found = take(umask=0o027, limits=(("nofile", limit),))
    assert (found["Uid"], found["Gid"]) == (
        [str(os.geteuid())] * 4,
        [str(os.getegid())] * 4,
    )
    assert (found["Umask"], found["NoNewPrivs"]) == (["0027"], ["1"])
    assert found["nofile"] == [limit, limit]
    assert found["cwd"] == os.getcwd()


def test_a_limit_above_the_hard_one_is_told():
    """What even root is refused: more descriptors than the kernel has."""
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    problem, advice = take(limits=(("nofile", most + 1),))
    assert problem.startswith(f"limits: nofile = {most + 1} can't be set: ")
    assert advice == "Write at most what the server itself may have."


@pytest.mark.parametrize("limits", [(("nofile", 2**70),), (("nothing", 1),)])
def test_a_limit_that_can_not_be_is_told(limits):
    """Whatever the settings let through."""
    problem, _ = take(limits=limits)
    assert problem.startswith(f"limits: {limits[0][0]} = ")


@pytest.mark.root
def test_nothing_of_root_is_left():
    """Groups, capabilities and the folder."""
    before = "os.setgroups([0, 4, 27]); os.chdir('/root')"
    found = take(before, user="x", uid=5001, gid=5002, groups=(5002, 5003))
    assert found["Uid"] == ["5001"] * 4
    assert found["Gid"] == ["5002"] * 4
    assert found["Groups"] == ["5002", "5003"]
    assert {int(found[name][0], 16) for name in ("CapPrm", "CapEff", "CapAmb")} == {0}
    assert found["cwd"] == "/"


@pytest.mark.root
def test_no_new_privileges_can_be_left_out():
    """For apps that need sudo, say."""
    assert take(user="x", uid=5001, gid=5002, no_new_privileges=False)[
        "NoNewPrivs"
    ] == ["0"]


@pytest.mark.root
def test_limits_are_raised_before_root_is_left():
    """Afterwards it would be too late; root in a container may not do it either."""
    own = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    before = "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    found = take(before, user="x", uid=5001, gid=5002, limits=(("nofile", 128),))
    if int(own, 16) >> CAP_SYS_RESOURCE & 1:
        assert (found["nofile"], found["Uid"]) == ([128, 128], ["5001"] * 4)
    else:
        assert found[0].startswith("limits: nofile = 128 can't be set: ")


@pytest.mark.root
def test_who_may_not_become_another_user_does_not_go_on():
    """Without the capability, in a container say."""
    problem, advice = take("os.setuid(5009)", user="x", uid=5001, gid=5002)
    assert problem == (
        "can't become user x (uid 5001, gid 5002): Operation not permitted"
    )
    assert advice == "Has the server the capabilities CAP_SETUID and CAP_SETGID?"


@pytest.mark.root
def test_who_could_change_back_does_not_go_on():
    """Capabilities that stay when the user changes give a way back."""
    no_setuid_fixup = "import ctypes; ctypes.CDLL(None).prctl(28, 1 << 2, 0, 0, 0)"
    problem, advice = take(no_setuid_fixup, user="x", uid=5001, gid=5002)
    assert problem == "became user x (uid 5001) but could change back"
    assert advice == "Were securebits set for the server (prctl(2))?"


LIAR = """
import os
from passtwist.wire.control import encode_message

# Where a spawner finds its channel.
os.write(3, encode_message("spawner_exited", {"kind": "app", "pid": 1, "app": "x"}))

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


def test_nobody_listens_to_what_an_app_says_in_the_name_of_its_spawner(
    driver, tmp_path
):
    """What runs in an app spawner is its user's; the manager may be root's."""
    spawn = driver.spawn(make_app(tmp_path / "liar", LIAR), ("app",))
    spawn.ready()
    kill(spawn.pid(APP))
    # In order: the lie would have come before it.
    notice = driver.notice()
    assert (notice.body["pid"], notice.body["app"]) == (spawn.pid(APP), "liar")
