"""The machine's accounts, as the C library knows them.

Runs in: the controller and the command.
"""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING

from passtwist.api.accounts import Group, User

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Entry = TypeVar("Entry")


class SystemAccounts:
    """See `passtwist.api.accounts.Accounts`."""

    def user(self, key: str | int) -> User | None:
        """See `Accounts.user`."""
        found = _find(key, pwd.getpwnam, pwd.getpwuid)
        if found is None:
            return None
        return User(
            found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir, found.pw_shell
        )

    def group(self, key: str | int) -> Group | None:
        """See `Accounts.group`."""
        found = _find(key, grp.getgrnam, grp.getgrgid)
        return None if found is None else Group(found.gr_name, found.gr_gid)

    def groups_of(self, user: User, gid: int) -> tuple[int, ...]:
        """See `Accounts.groups_of`."""
        return tuple(sorted(set(os.getgrouplist(user.name, gid))))


def _find(
    key: str | int, by_name: Callable[[str], Entry], by_number: Callable[[int], Entry]
) -> Entry | None:
    """A name in digits is a name first, as for chown(1)."""
    if isinstance(key, str):
        try:
            return by_name(key)
        except (KeyError, ValueError):
            if not (key.isascii() and key.isdigit()):
                return None
    try:
        return by_number(int(key))
    except (KeyError, OverflowError):
        return None
