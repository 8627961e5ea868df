"""Whom an app runs as: Passenger's table, case by case, and what we add to it."""

from __future__ import annotations

import grp
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.api.account_database import SystemAccounts
from passtwist.api.accounts import Group, Identity, Owner, User, Wish, choose
from passtwist.errors import DetectionError

ROOT = User("root", 0, 0, "/root", "/bin/sh")
ANN = User("ann", 101, 201, "/users/ann", "/bin/sh")
BOB = User("bob", 102, 202, "/users/bob", "/bin/sh")
NOBODY = User("nobody", 999, 909, "/nonexistent", "/bin/false")
WHEEL = User("wheel", 103, 0, "/users/wheel", "/bin/sh")


class Machine:
    """Accounts of a machine that has only these."""

    def __init__(self, *users: User) -> None:
        self.users = users or (ROOT, ANN, BOB, NOBODY, WHEEL)
        self.groups = [
            *(Group("root", 0), Group("ann", 201), Group("bob", 202)),
            *(Group("nogroup", 909), Group("web", 300)),
        ]
        # By name of the user; the primary group comes with it.
        self.members = {"ann": (300,), "wheel": (0, 300)}

    def user(self, key):
        return next((one for one in self.users if key in (one.name, one.uid)), None)

    def group(self, key):
        return next((one for one in self.groups if key in (one.name, one.gid)), None)

    def groups_of(self, user, gid):
        return tuple(sorted({gid, *self.members.get(user.name, ())}))


def chosen(wish, owner, *users):
    """Name of the user and number of the group."""
    identity = choose(wish, owner, Machine(*users))
    return identity.user.name, identity.gid


# What is set as user, whose the startup file is, and who it is then.
USERS = {
    "user is set": ("ann", 102, "ann"),
    "user is set, but unknown": ("carol", 102, "nobody"),
    "user is set, but root": ("root", 102, "nobody"),
    "the owner is known": ("", 101, "ann"),
    "the owner is unknown": ("", 777, "nobody"),
    "the owner is root": ("", 0, "nobody"),
}
# What is set as group, what group the startup file has, and which it is then;
# None for the primary group of the user.
GROUPS = {
    "no group": ("", 202, None),
    "group is set": ("web", 202, 300),
    "group is set, but unknown": ("choir", 202, 909),
    "group is set, but root": ("root", 202, 909),
    "group of the file": ("!STARTUP_FILE!", 202, 202),
    "group of the file, but unknown": ("!STARTUP_FILE!", 778, 909),
}
PRIMARY = {"ann": 201, "nobody": 909}


@pytest.mark.parametrize("group_case", GROUPS)
@pytest.mark.parametrize("user_case", USERS)
def test_the_table_of_passenger(user_case, group_case):
    """Six cases of the user, each with six of the group."""
    user, uid, expected = USERS[user_case]
    group, gid, expected_gid = GROUPS[group_case]
    if expected_gid is None:
        expected_gid = PRIMARY[expected]
    wish, owner = Wish(user, group), Owner(uid, gid, uid)
    assert chosen(wish, owner) == (expected, expected_gid)


@pytest.mark.parametrize("user_case", USERS)
def test_the_group_of_a_file_of_the_group_root_is_not_taken(user_case):
    """As any other way to gid 0."""
    user, uid, expected = USERS[user_case]
    wish, owner = Wish(user, "!STARTUP_FILE!"), Owner(uid, 0, uid)
    assert chosen(wish, owner) == (expected, 909)


def test_the_whole_identity():
    """With what the account says of home and shell, and all of its groups."""
    assert choose(Wish(), Owner(101, 1, 101), Machine()) == Identity(
        ANN, 201, (201, 300), "its startup file belongs to that user"
    )


def test_a_user_in_the_group_root_is_not_given_it():
    """Neither as primary nor as supplementary group."""
    identity = choose(Wish("wheel"), Owner(0, 0, 0), Machine())
    note = (
        "the group of user 'wheel' is root's, which no app gets; so that of "
        "default_user it is, gid 909"
    )
    assert identity == Identity(WHEEL, 909, (300, 909), "user is set", (note,))


def test_what_is_set_and_not_followed_is_told():
    """Once for the user, once for the group."""
    identity = choose(Wish("root", "choir"), Owner(101, 201, 101), Machine())
    assert identity.notes == (
        "user: 'root' is root, which no app gets; so default_user it is, 'nobody'",
        "group: 'choir' does not exist; so that of default_user it is, gid 909",
    )


def test_what_is_followed_is_not_told():
    """An owner that is root is the usual case of an app that is just installed."""
    assert choose(Wish(), Owner(0, 0, 0), Machine()).notes == ()


@pytest.mark.parametrize(
    ("wish", "owner", "expected"),
    [
        (Wish(), Owner(0, 0, 0), ("root", 0)),
        (Wish(), Owner(777, 1, 777), ("root", 0)),
        (Wish("", "web"), Owner(0, 0, 0), ("root", 300)),
        (Wish("", "choir"), Owner(0, 0, 0), ("root", 0)),
        (Wish("root"), Owner(101, 201, 101), ("root", 0)),
        (Wish(), Owner(101, 201, 101), ("ann", 201)),
        (Wish("bob"), Owner(0, 0, 0), ("bob", 202)),
    ],
)
def test_only_default_user_makes_an_app_root(wish, owner, expected):
    """And only where default_user decides."""
    asked = Wish(wish.user, wish.group, "root")
    assert chosen(asked, owner) == expected


@pytest.mark.parametrize(
    ("wish", "owner", "users", "message"),
    [
        (
            Wish(),
            Owner(0, 0, 0),
            (ROOT, ANN),
            (
                "its startup file belongs to root, and default_user, 'nobody', does "
                "not exist; set user, or default_user under [server], to an account"
            ),
        ),
        (
            Wish("carol"),
            Owner(101, 201, 101),
            (ROOT, ANN),
            "user: 'carol' does not exist, and default_user, 'nobody', does not exist",
        ),
        (
            Wish("ann", "choir"),
            Owner(101, 201, 101),
            (ROOT, ANN),
            "group: 'choir' does not exist, and default_user, 'nobody', does not",
        ),
        (
            Wish("ann", "root", "root"),
            Owner(101, 201, 101),
            (ROOT, ANN),
            (
                "group: 'root' is root's, which no app gets, and that of default_user, "
                "'root', is root's; set group"
            ),
        ),
        (
            Wish(),
            Owner(0, 0, 0),
            (ROOT, User("nobody", 999, 0, "/", "/bin/false")),
            "the group of user 'nobody' is root's, which no app gets, and that of",
        ),
        (
            Wish(),
            Owner(101, 201, 102),
            (ROOT, ANN, BOB, NOBODY),
            (
                "its startup file belongs to user 'ann', but its folder to 'bob', who "
                "could run code as 'ann' that way; set user, or give both to the same"
            ),
        ),
        (
            Wish(),
            Owner(101, 201, 777),
            (ROOT, ANN, NOBODY),
            "its startup file belongs to user 'ann', but its folder to uid 777, who",
        ),
    ],
)
def test_nobody_is_better_than_the_wrong_one(wish, owner, users, message):
    """The app can't be started, and what to set is said."""
    with pytest.raises(DetectionError) as caught:
        choose(wish, owner, Machine(*users))
    assert str(caught.value).startswith(message)


def test_a_set_user_needs_no_default_user_and_no_owner():
    """Nobody else is asked for."""
    assert chosen(Wish("ann"), Owner(777, 778, 102), ANN) == ("ann", 201)


NAMES = st.sampled_from(["", "root", "ann", "bob", "wheel", "nobody", "carol"])
IDS = st.sampled_from([0, 101, 102, 103, 201, 202, 300, 777, 909, 999])


@given(
    user=NAMES,
    group=st.sampled_from(["", "root", "web", "choir", "!STARTUP_FILE!"]),
    default=st.sampled_from(["nobody", "ann", "wheel", "carol"]),
    owner=st.builds(Owner, IDS, IDS, IDS),
)
def test_whatever_is_set_no_app_is_root(user, group, default, owner):
    """Neither by its user nor by any of its groups, unless default_user is root."""
    try:
        found = choose(Wish(user, group, default), owner, Machine())
    except DetectionError:
        return
    assert 0 not in (found.user.uid, found.gid, *found.groups)


def test_the_accounts_of_the_machine():
    """By name, by number and by number in digits; the rest is not there."""
    accounts = SystemAccounts()
    entry, group = pwd.getpwall()[0], grp.getgrall()[0]
    user = User(*entry[:1], *entry[2:4], *entry[5:7])
    keys = (entry.pw_name, entry.pw_uid, str(entry.pw_uid))
    assert [accounts.user(key) for key in keys] == [user] * 3
    keys = (group.gr_name, group.gr_gid, str(group.gr_gid))
    assert [accounts.group(key) for key in keys] == [Group(group[0], group[2])] * 3
    unknown = ("no such user", 2**31 - 7, str(2**31 - 7), 2**70, "٣", "")
    assert [accounts.user(key) for key in unknown] == [None] * 6
    assert [accounts.group(key) for key in unknown] == [None] * 6
    assert entry.pw_gid in accounts.groups_of(user, user.gid)
