"""A server that is root: each app is its user's, and nobody else's."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.accounts import (
    FLASK,
    OWNER,
    PYTHON,
    STRANGER,
    Watch,
    as_user,
    give,
    site_of,
    status_of,
    virtualenv,
)
from tests.integration.sites import Site, serve

pytestmark = pytest.mark.root

# What each spawn method leaves running, from the outside in.
LAYERS = {
    "conservative": (),
    "smart-lv2": ("app",),
    "smart": ("framework", "app"),
}

FLASK_APP = """
from flask import Flask
import passenger_wsgi

app = Flask(__name__)
app.wsgi_app = passenger_wsgi.application
"""

TRY_EVERYTHING = """
import json, os, signal, socket, sys

def told(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return type(error).__name__
    return "done"

def connect(path):
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)

runtime, *pids = sys.argv[1:]
answers = {
    told(os.listdir, runtime),
    told(os.listdir, runtime + "/sockets"),
    told(connect, runtime + "/sockets/w1"),
    told(connect, runtime + "/admin.sock"),
    told(open, runtime + "/lock"),
}
for pid in pids:
    for name in ("environ", "mem", "maps", "fd/1", "cwd/x"):
        answers.add(told(open, "/proc/%s/%s" % (pid, name)))
    answers.add(told(os.listdir, "/proc/%s/fd" % pid))
    answers.add(told(os.kill, int(pid), signal.SIGTERM))
print(json.dumps(sorted(answers)))
"""


def who(server, path="/"):
    """What the app says of itself."""
    answer = server.get(path)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def identity(user, group=""):
    """As `who` tells it: uids, gids and groups of an account."""
    account = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else account.pw_gid
    groups = sorted(set(os.getgrouplist(user, gid)))
    return {"uids": [account.pw_uid] * 3, "gids": [gid] * 3, "groups": groups}


def told(facts):
    """The part of the facts that `identity` gives."""
    return {name: facts[name] for name in ("uids", "gids", "groups")}


def layers_of(server, facts):
    """Pids of the worker and its spawners, by what they are."""
    spawners = server.status()["spawn_server"]["spawners"]
    return {one["kind"]: one["pid"] for one in spawners} | {"worker": facts["pid"]}


def flask_site(ground, **keys):
    """A site with a framework layer: Flask, in a virtualenv of its own."""
    site = Site(ground, "who", Path(__file__).parents[1] / "apps" / "who", **keys)
    site.write("app.py", FLASK_APP)
    virtualenv(site, *FLASK)
    site.keys.update(framework="flask", entry="app:app")
    give(site.root, OWNER)
    return site


# --- who -----------------------------------------------------------------------


@pytest.mark.parametrize("method", LAYERS)
def test_every_process_of_an_app_is_its_users(ground, method):
    """Worker and spawners, in all their ids; controller and manager stay root."""
    keys = {
        "spawn_method": method,
        "umask": "027",
        "limits": {"nofile": 64, "as": "2GiB"},
    }
    if method == "smart":
        site = flask_site(ground, **keys)
    else:
        site = site_of(OWNER, ground, "who", **keys)
    account = pwd.getpwnam(OWNER)
    with serve(ground, site, default_user="nobody") as server:
        facts = who(server)
        assert told(facts) == identity(OWNER)
        assert (facts["umask"], facts["folder"]) == (0o027, str(site.root))
        assert (facts["nofile"], facts["as"]) == ([64, 64], [2**31] * 2)
        refused = "Operation not permitted"
        assert facts["come_back"] == dict.fromkeys(
            ("setuid", "setgid", "setgroups", "setresuid"), refused
        )
        assert facts["stdout"] is True
        layers = layers_of(server, facts)
        assert sorted(layers) == sorted([*LAYERS[method], "worker"])
        for kind, pid in layers.items():
            status = status_of(pid)
            assert status["Uid"] == [str(account.pw_uid)] * 4
            assert status["Gid"] == [str(account.pw_gid)] * 4
            assert status["Groups"] == [str(account.pw_gid)]
            assert status["NoNewPrivs"] == ["1"]
            assert {int(status[f"Cap{name}"][0], 16) for name in ("Prm", "Eff")} == {0}
            # A framework spawner is no single app's.
            assert status["Umask"] == ["0022" if kind == "framework" else "0027"]
            limits = Path(f"/proc/{pid}/limits").read_text()
            [files] = [x for x in limits.splitlines() if x.startswith("Max open files")]
            assert files.split()[3:5] == ["64", "64"]
        page = server.status()
        for pid in (page["pid"], page["spawn_server"]["pid"]):
            assert status_of(pid)["Uid"] == ["0"] * 4


@pytest.mark.parametrize(
    ("owner", "keys", "expected"),
    [
        (OWNER, {"user": STRANGER}, (STRANGER, "")),
        (OWNER, {"group": STRANGER}, (OWNER, STRANGER)),
        ("root", {}, ("nobody", "")),
        (OWNER, {"user": "root"}, ("nobody", "")),
    ],
    ids=["user is set", "group is set", "the owner is root", "user is root"],
)
def test_the_rules_hold_for_real(ground, owner, keys, expected):
    """The table itself is tests/api/test_accounts.py's."""
    site = site_of(owner, ground, "who", spawn_method="conservative", **keys)
    with serve(ground, site, default_user="nobody") as server:
        assert told(who(server)) == identity(*expected)
        note = "user: 'root' is root, which no app gets; so default_user it is"
        assert (note in server.log()) == (keys.get("user") == "root")


def test_two_users_share_nothing_but_the_server(ground):
    """Each has processes of its own, and neither may touch the other's."""
    sites = [
        site_of(user, ground, user, base_uri=f"/{user}", spawn_method="smart-lv2")
        for user in (OWNER, STRANGER)
    ]
    with serve(ground, *sites, default_user="nobody") as server:
        facts = {user: who(server, f"/{user}/") for user in (OWNER, STRANGER)}
        for user, found in facts.items():
            assert told(found) == identity(user)
        pids = [facts[OWNER]["pid"], facts[OWNER]["loaded_by"]]
        answers = as_user(STRANGER, TRY_EVERYTHING, server.runtime_dir, *pids)
        assert answers == ["PermissionError"]


def test_another_user_can_neither_connect_nor_read_nor_signal(ground):
    """Worker, spawner, manager and controller; sockets, memory, environment."""
    site = site_of(OWNER, ground, "who", spawn_method="smart-lv2")
    with serve(ground, site, default_user="nobody") as server:
        facts = who(server)
        page = server.status()
        pids = [*layers_of(server, facts).values()]
        pids += [page["pid"], page["spawn_server"]["pid"]]
        answers = as_user(STRANGER, TRY_EVERYTHING, server.runtime_dir, *pids)
        assert answers == ["PermissionError"]
        assert who(server)["pid"] == facts["pid"]
        # Nor can the app's own user reach its worker but by the server.
        answers = as_user(OWNER, TRY_EVERYTHING, server.runtime_dir)
        assert answers == ["PermissionError"]


def test_an_app_gets_nothing_of_roots_environment(ground, monkeypatch):
    """How to write and where to look is passed on; the rest is its account's."""
    site = site_of(OWNER, ground, "who", env={"SHOP_KEY": "of the app"})
    secrets = {
        "ROOTS_KEY": "x",
        "PYTHONPATH": "/no/such/lib",
        "HTTP_PROXY": "http://u:p@h",
    }
    account = pwd.getpwnam(OWNER)
    for name, value in {**secrets, "LC_TIME": "C", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)
    with serve(ground, site, default_user="nobody") as server:
        facts = who(server)
        expected = {
            "HOME": account.pw_dir,
            "IN_PASSTWIST": "1",
            "LC_TIME": "C",
            "LOGNAME": OWNER,
            "PATH": os.environ["PATH"],
            "PYTHONUNBUFFERED": "1",
            "SHELL": account.pw_shell,
            "SHOP_KEY": "of the app",
            "TZ": "UTC",
            "USER": OWNER,
        }
        found = facts["environment"]
        by_framework = {"PASSENGER_APP_ENV", "WSGI_ENV"}
        # LANG and the like, where the tests have them; LC_CTYPE by CPython.
        passed = {"LANG", "LANGUAGE"} | {x for x in found if x.startswith("LC_")}
        assert {k: found.get(k) for k in expected} == expected
        assert set(found) - set(expected) <= by_framework | passed
        for pid in layers_of(server, facts).values():
            block = Path(f"/proc/{pid}/environ").read_bytes()
            assert not [name for name in secrets if name.encode() in block]


def test_nothing_of_a_user_outlives_a_killed_server(ground):
    """The lifeline works across users."""
    site = site_of(OWNER, ground, "who", spawn_method="smart-lv2")
    server = serve(ground, site, default_user="nobody")
    with server:
        who(server)
        server.kill()
        wait_until(lambda: not server.processes(), "the user's processes to end", 5.0)


# --- what root neither runs nor follows -----------------------------------------


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
def test_root_runs_nothing_of_a_virtualenv(ground, method):
    """A .pth and a sitecustomize are code: only the app's user has run them."""
    site = Site(
        ground, "who", Path(__file__).parents[1] / "apps" / "who", spawn_method=method
    )
    ran = site.root / "ran"
    note = f"import os; file = open({str(ran)!r}, 'a')"
    note += "; file.write('%d %s\\n' % (os.getuid(), {!r})); file.close()"
    packages = virtualenv(site)
    (packages / "first.pth").write_text(note.format("pth") + "\n")
    (packages / "sitecustomize.py").write_text(note.format("sitecustomize") + "\n")
    # Debian has one of its own, which would come first.
    site.keys["env"] = {"PYTHONPATH": str(packages)}
    give(site.root, OWNER)
    uid = pwd.getpwnam(OWNER).pw_uid
    with serve(ground, site, default_user="nobody") as server:
        assert who(server)["prefix"] == str(site.root / ".venv")
    notes = set(ran.read_text().splitlines())
    assert notes == {f"{uid} pth", f"{uid} sitecustomize"}
    assert ran.stat().st_uid == uid


def test_root_follows_no_link_of_a_user(ground):
    """In place of startup file, log file or restart.txt."""
    secrets = [ground / name for name in ("startup", "log", "restart")]
    for secret in secrets:
        secret.write_text("application = 'of root'\n")
        secret.chmod(0o600)
    site = site_of(OWNER, ground, "who", entry="code.py:application")
    site.keys["log_file"] = str(site.root / "log")
    (site.root / "passenger_wsgi.py").rename(site.root / "code.py")
    (site.root / "passenger_wsgi.py").symlink_to(secrets[0])
    (site.root / "log").symlink_to(secrets[1])
    (site.root / "tmp").mkdir()
    (site.root / "tmp" / "restart.txt").symlink_to(secrets[2])
    give(site.root, OWNER)
    with (
        closing(Watch(*secrets)) as watch,
        serve(ground, site, default_user="nobody") as server,
    ):
        assert told(who(server, "/print")) == identity(OWNER)
        uid = pwd.getpwnam(OWNER).pw_uid
        server.wait_for_log(f"printed by {uid}")
        assert f"log_file {site.root}/log can't be opened: it is a link" in server.log()
        assert server.stop() == 0
        assert watch.opened() == []
    assert {secret.read_text() for secret in secrets} == {"application = 'of root'\n"}


def test_a_startup_file_that_is_a_link_has_the_owner_of_the_link(ground):
    """Who may write the folder decides, not who owns some file of code."""
    code = ground / "code.py"
    shutil.copyfile(Path(__file__).parents[1] / "apps/who/passenger_wsgi.py", code)
    site = site_of(OWNER, ground, "who", entry="start.py:application")
    (site.root / "start.py").symlink_to(code)
    give(site.root, OWNER)
    os.chown(code, pwd.getpwnam(STRANGER).pw_uid, 0)
    with serve(ground, site, default_user="nobody") as server:
        assert told(who(server)) == identity(OWNER)


def test_a_file_of_somebody_else_makes_nobody_run_as_them(ground):
    """The owner of the folder could have moved or linked it there."""
    site = site_of(OWNER, ground, "who")
    stranger = pwd.getpwnam(STRANGER)
    os.chown(site.root / "passenger_wsgi.py", stranger.pw_uid, stranger.pw_gid)
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 500
        assert (
            f"its startup file belongs to user '{STRANGER}', but its folder to "
            f"'{OWNER}', who could run code as '{STRANGER}' that way; set user"
        ) in server.log()


# --- log files -------------------------------------------------------------------


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
def test_what_an_app_prints_goes_to_its_log_file(ground, method):
    """The file is its user's, and cut by its umask; the server's log has none of it."""
    site = site_of(OWNER, ground, "who", spawn_method=method, umask="027")
    site.keys["log_file"] = str(site.root / "log")
    account = pwd.getpwnam(OWNER)
    with serve(ground, site, default_user="nobody") as server:
        facts = who(server, "/print")
        assert facts["descriptors"]["1"] == str(site.root / "log")
        assert "printed by" not in server.log()
    log = site.root / "log"
    assert log.read_text() == f"printed by {account.pw_uid}\n"
    found = log.stat()
    assert (found.st_uid, found.st_gid) == (account.pw_uid, account.pw_gid)
    assert found.st_mode & 0o777 == 0o640


def test_a_log_file_that_its_user_may_not_write_is_not_written(ground):
    """Not by root's rights either; the app is served, the log says why."""
    log = ground / "log"
    log.write_text("of root\n")
    site = site_of(OWNER, ground, "who", log_file=str(log))
    with serve(ground, site, default_user="nobody") as server:
        uid = told(who(server, "/print"))["uids"][0]
        server.wait_for_log(f"printed by {uid}")
        assert f"log_file {log} can't be opened: Permission denied" in server.log()
    assert log.read_text() == "of root\n"


# --- what goes wrong -------------------------------------------------------------


def test_a_folder_that_is_closed_for_the_user_is_named(ground):
    """With the user, and with what to do."""
    site = site_of("root", ground, "who")
    site.root.chmod(0o700)
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 500
        uid = pwd.getpwnam("nobody").pw_uid
        assert (
            f"app who: root, {site.root}/., is out of reach for user nobody (uid {uid})"
        ) in server.log()


def test_an_interpreter_that_is_closed_for_the_user_is_named(ground):
    """The same."""
    (ground / "closed").mkdir(mode=0o700)
    (ground / "closed" / "python").symlink_to(PYTHON)
    site = site_of(OWNER, ground, "who", python=str(ground / "closed" / "python"))
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 500
        assert (
            f"app who: the interpreter, {ground}/closed/python, is out of reach for "
            f"user {OWNER}"
        ) in server.log()


def test_without_no_new_privileges_set_uid_programs_work(ground):
    """For an app that needs them; the kernel's flag stays off."""
    site = site_of(OWNER, ground, "who", no_new_privileges=False)
    with serve(ground, site, default_user="nobody") as server:
        assert status_of(who(server)["pid"])["NoNewPrivs"] == ["0"]


def test_an_app_can_be_stopped_by_the_server_but_not_the_server_by_it(ground):
    """Signals go down, never up."""
    site = site_of(OWNER, ground, "who")
    with serve(ground, site, default_user="nobody") as server:
        pid = who(server)["pid"]
        code = "import json, os, sys\ntry:\n    os.kill(int(sys.argv[1]), 9)\n"
        code += "except OSError as error:\n    print(json.dumps(error.strerror))\n"
        answer = as_user(OWNER, code, server.process.pid)
        assert answer == "Operation not permitted"
        os.kill(pid, signal.SIGKILL)
        assert who(server)["pid"] != pid
