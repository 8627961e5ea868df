"""What the server's own user may do, and settings that ask for more."""

from __future__ import annotations

import os
import resource

import pytest

from passtwist.api.accounts import Group, User
from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_rules import Account
from passtwist.api.settings_server import ServerSettings
from passtwist.api.standing import (
    Standing,
    app_problems,
    scarcity,
    server_problems,
    warnings,
)

ANN = User("ann", 101, 201, "/users/ann", "/bin/sh")
ROOT = User("root", 0, 0, "/root", "/bin/sh")


class Accounts:
    """Ann's machine."""

    def user(self, key):
        return {"ann": ANN, "root": ROOT}.get(key)

    def group(self, key):
        return {"web": Group("web", 300)}.get(key)

    def groups_of(self, user, gid):
        return (gid,)


def standing(switches=False, keeps_root=False, **ceilings):
    """Of root that switches users, or of ann."""
    own = ROOT if switches else ANN
    account = Account(own.name, own.uid, own.name, own.gid)
    return Standing(account, switches, keeps_root, Accounts(), ceilings, 1024)


def app(**settings):
    return AppSettings(name="shop", root="/srv/shop", **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"user": "ann"},
        {"user": "101", "group": "201"},
        {"group": "ann"},
        {"limits": (("nofile", 64),)},
    ],
)
def test_one_user_can_be_itself(settings):
    """By name or number, and with limits that are within its own."""
    assert [*app_problems(app(**settings), standing(nofile=64))] == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"user": "bob"},
            (
                'user: "bob" is not the user we run as; leave it out or start the '
                "server as that user (it is 'ann' now) or as root"
            ),
        ),
        (
            {"group": "web"},
            (
                'group: "web" is not the group we run as; leave it out or start the '
                "server in that group (it is 'ann' now) or as root"
            ),
        ),
        (
            {"limits": (("as", 10**9), ("nofile", 65))},
            (
                "limits: nofile = 65 is more than the server may give, 64; write at "
                "most that, or raise its own hard limit (LimitNOFILE= in a unit of "
                "systemd, ulimit -H in a shell)"
            ),
        ),
    ],
)
def test_one_user_can_be_nobody_else(settings, problem):
    """It is an error at the start, with the key and the remedy."""
    found = [*app_problems(app(**settings), standing(nofile=64))]
    assert found == [f'[[app]] "shop": {problem}']


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"user": "ann", "group": "web"}, None),
        ({"user": "root"}, None),
        ({"group": "!STARTUP_FILE!"}, None),
        ({"user": "bob"}, 'user: "bob" is no user of this machine; make the account'),
        ({"group": "ann"}, 'group: "ann" is no group of this machine; make the group'),
    ],
)
def test_root_can_be_whoever_there_is(settings, problem):
    """A name that is mistyped is told at the start."""
    found = [*app_problems(app(**settings), standing(switches=True))]
    right = f'[[app]] "shop": {problem} or name another'
    assert found == ([] if problem is None else [right])


def test_a_way_back_to_root_is_refused():
    """An app could take it as well."""
    [problem] = server_problems(ServerSettings(), standing(keeps_root=True))
    assert problem == (
        "running as user 'ann' with a way back to root, which apps would have as "
        "well; use twistd --uid without --euid"
    )


@pytest.mark.parametrize(
    ("switches", "name", "count"),
    [
        (True, "nobody", 0),  # not there, but nobody has asked for it
        (True, "ann", 0),
        (True, "bob", 1),
        (False, "bob", 0),  # of no use
    ],
)
def test_a_default_user_that_is_named_must_exist(switches, name, count):
    """When users are switched."""
    server = ServerSettings(default_user=name)
    found = [*server_problems(server, standing(switches))]
    right = f'[server]: default_user: "{name}" is no user of this machine; make the '
    assert found == [f"{right}account or name another"] * count


@pytest.mark.parametrize(
    ("switches", "name", "count"),
    [(True, "root", 1), (True, "ann", 0), (True, "bob", 0), (False, "root", 0)],
)
def test_root_as_default_user_is_warned_of(switches, name, count):
    """It is allowed."""
    found = [*warnings(ServerSettings(default_user=name), standing(switches))]
    right = "default_user is root: apps whose files belong to root run as root"
    assert found == [right] * count


@pytest.mark.parametrize(("most", "count"), [(0, 0), (1023, 0), (1024, 1)])
def test_more_connections_than_descriptors_are_warned_of(most, count):
    """The server serves with fewer."""
    found = [*scarcity(ServerSettings(max_connections=most), standing())]
    right = (
        "max_connections is 1024, and this process may have 1024 descriptors: so many "
        "clients can't be connected; raise the hard limit (LimitNOFILE= of a systemd "
        "unit, ulimit -Hn)"
    )
    assert found == [right] * count


def test_the_standing_of_this_process():
    """Root switches users; there is always a limit of descriptors."""
    found = Standing.current()
    assert found.switches_users == (os.geteuid() == 0)
    assert found.keeps_root is False
    assert found.ceilings["nofile"] > 0
    assert found.descriptors == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
