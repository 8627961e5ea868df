"""Which user an app runs as.

Runs in: the controller and the command.  Pure: what is known of accounts and
of files comes in as arguments.

The rules are Passenger's, with two additions: gid 0 does not come in by the
supplementary groups, and an owner is not believed who does not own the folder.
docs/how-to/run-apps-as-their-users.md has them as tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from passtwist.errors import DetectionError

# As group: that of the startup file.
STARTUP_FILE = "!STARTUP_FILE!"


@dataclass(frozen=True)
class User:
    """An account."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class Group:
    """A group."""

    name: str
    gid: int


class Accounts(Protocol):
    """The machine's accounts."""

    def user(self, key: str | int) -> User | None:
        """By name, or by number (also in digits); None when there is none."""

    def group(self, key: str | int) -> Group | None:
        """The same for groups."""

    def groups_of(self, user: User, gid: int) -> tuple[int, ...]:
        """All groups of *user* when its primary one is *gid*."""


@dataclass(frozen=True)
class Wish:
    """What the settings say; "" for nothing."""

    user: str = ""
    group: str = ""
    default_user: str = "nobody"


@dataclass(frozen=True)
class Owner:
    """Whose the startup file is: of a link, not of what it leads to.

    :ivar folder_uid: of the app's root folder.
    """

    uid: int
    gid: int
    folder_uid: int


@dataclass(frozen=True)
class Identity:
    """Who the app's processes are.

    :ivar groups: the supplementary groups, the primary one among them.
    :ivar reason: why, for `explain`.
    :ivar notes: settings that were not followed, one sentence each.
    """

    user: User
    gid: int
    groups: tuple[int, ...]
    reason: str
    notes: tuple[str, ...] = ()


def choose(wish: Wish, owner: Owner, accounts: Accounts) -> Identity:
    """Who an app runs as when its server is root and stays so.

    Never root, unless ``default_user`` is root: the one way to say so.

    :raises DetectionError: there is nobody to run it as, or the wrong one
        would be; names the key to set.
    """
    user, reason = _user(wish, owner, accounts)
    gid, group_note = _group(wish, owner, accounts, user)
    groups = accounts.groups_of(user, gid)
    if user.uid != 0:
        groups = tuple(one for one in groups if one != 0)
    notes = []
    if wish.user and user != accounts.user(wish.user):
        notes.append(reason)
    if group_note:
        notes.append(group_note)
    return Identity(user, gid, groups, reason, tuple(notes))


def _user(wish: Wish, owner: Owner, accounts: Accounts) -> tuple[User, str]:
    if wish.user:
        found = accounts.user(wish.user)
        if found is not None and found.uid != 0:
            return found, "user is set"
        fault = "does not exist" if found is None else "is root, which no app gets"
        why = f"user: {wish.user!r} {fault}"
    else:
        found = accounts.user(owner.uid) if owner.uid != 0 else None
        if found is not None:
            _refuse_two_owners(owner, found, accounts)
            return found, "its startup file belongs to that user"
        who = "root" if owner.uid == 0 else f"uid {owner.uid}, which has no account"
        why = f"its startup file belongs to {who}"
    default = _default(wish, accounts, why)
    return default, f"{why}; so default_user it is, {default.name!r}"


def _refuse_two_owners(owner: Owner, found: User, accounts: Accounts) -> None:
    """A file may be moved or linked into a folder by who owns the folder."""
    if owner.folder_uid in (0, owner.uid):
        return
    other = accounts.user(owner.folder_uid)
    folder = repr(other.name) if other else f"uid {owner.folder_uid}"
    raise DetectionError(
        f"its startup file belongs to user {found.name!r}, but its folder to "
        f"{folder}, who could run code as {found.name!r} that way; set user, or "
        "give both to the same user"
    )


def _default(wish: Wish, accounts: Accounts, why: str) -> User:
    default = accounts.user(wish.default_user)
    if default is None:
        raise DetectionError(
            f"{why}, and default_user, {wish.default_user!r}, does not exist; "
            "set user, or default_user under [server], to an account of this machine"
        )
    return default


def _group(wish: Wish, owner: Owner, accounts: Accounts, user: User) -> tuple[int, str]:
    """The primary group, and a note when it is not the one that was set."""
    gid: int | None = user.gid
    where = f"the group of user {user.name!r}"
    if wish.group:
        by_file = wish.group == STARTUP_FILE
        found = accounts.group(owner.gid if by_file else wish.group)
        gid = None if found is None else found.gid
        where = f"group: {'that of the startup file' if by_file else repr(wish.group)}"
    if gid is not None and (gid != 0 or user.uid == 0):
        return gid, ""
    fault = "does not exist" if gid is None else "is root's, which no app gets"
    why = f"{where} {fault}"
    default = _default(wish, accounts, why)
    if default.gid == 0 and user.uid != 0:
        raise DetectionError(
            f"{why}, and that of default_user, {default.name!r}, is root's; set group"
        )
    return default.gid, f"{why}; so that of default_user it is, gid {default.gid}"
