"""What the server's own user may do, and settings that ask for more.

Runs in: the controller and the command.

There are two modes.  A server that is root and stays so runs each app as the
app's user.  Any other runs everything as its one user; it can be root while
settings are read and another when it starts (``twistd --uid``), so both ask.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import attrs

from passtwist.api.account_database import SystemAccounts
from passtwist.api.accounts import STARTUP_FILE
from passtwist.api.settings_checks import LIMIT_NAMES
from passtwist.api.settings_kinds import quoted
from passtwist.api.settings_rules import Account, label
from passtwist.api.settings_server import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from passtwist.api.accounts import Accounts
    from passtwist.api.settings_app import AppSettings

CAP_SYS_RESOURCE = 24
DEFAULT_USER = ServerSettings().default_user


@attrs.frozen
class Standing:
    """Who this process is, and what it may do.

    :ivar switches_users: apps run as their users.
    :ivar keeps_root: it is not root but could be again.
    :ivar accounts: those of the machine.
    :ivar ceilings: the highest value of each resource limit of apps that has one.
    :ivar descriptors: how many this process may have open, at most.
    """

    account: Account
    switches_users: bool
    keeps_root: bool
    accounts: Accounts
    ceilings: Mapping[str, int]
    descriptors: int

    @classmethod
    def current(cls) -> Standing:
        """That of this process, now."""
        switches = os.geteuid() == 0
        return cls(
            account=Account.current(),
            switches_users=switches,
            keeps_root=not switches and 0 in os.getresuid(),
            accounts=SystemAccounts(),
            ceilings=_ceilings(),
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        )


def server_problems(server: ServerSettings, standing: Standing) -> Iterable[str]:
    """Why the server must not run as who it is."""
    if standing.keeps_root:
        yield (
            f"running as user {standing.account.user!r} with a way back to root, which "
            "apps would have as well; use twistd --uid without --euid"
        )
    name = server.default_user
    # The default itself may be missing where every app has a user.
    is_needed = standing.switches_users and name != DEFAULT_USER
    if is_needed and standing.accounts.user(name) is None:
        yield (
            f"[server]: default_user: {quoted(name)} is no user of this machine; "
            "make the account or name another"
        )


def app_problems(app: AppSettings, standing: Standing) -> Iterable[str]:
    """What an app is to be that the server can't give it."""
    where = label(app)
    yield from (_switching if standing.switches_users else _one_user)(app, standing)
    for name, value in app.limits:
        ceiling = standing.ceilings.get(name)
        if ceiling is not None and value > ceiling:
            yield (
                f"{where}: limits: {name} = {value} is more than the server may give, "
                f"{ceiling}; write at most that, or raise its own hard limit "
                f"(Limit{name.upper()}= in a unit of systemd, ulimit -H in a shell)"
            )


def warnings(server: ServerSettings, standing: Standing) -> Iterable[str]:
    """What is allowed and yet dangerous."""
    if not standing.switches_users:
        return
    default = standing.accounts.user(server.default_user)
    if default is not None and default.uid == 0:
        yield "default_user is root: apps whose files belong to root run as root"


def scarcity(server: ServerSettings, standing: Standing) -> Iterable[str]:
    """What can't be had in full: a server does with less."""
    if server.max_connections >= standing.descriptors:
        yield (
            f"max_connections is {server.max_connections}, and this process may have "
            f"{standing.descriptors} descriptors: so many clients can't be connected; "
            "raise the hard limit (LimitNOFILE= of a systemd unit, ulimit -Hn)"
        )


def _switching(app: AppSettings, standing: Standing) -> Iterable[str]:
    accounts, where = standing.accounts, label(app)
    if app.user and accounts.user(app.user) is None:
        yield (
            f"{where}: user: {quoted(app.user)} is no user of this machine; make the "
            "account or name another"
        )
    if app.group not in ("", STARTUP_FILE) and accounts.group(app.group) is None:
        yield (
            f"{where}: group: {quoted(app.group)} is no group of this machine; make "
            "the group or name another"
        )


def _one_user(app: AppSettings, standing: Standing) -> Iterable[str]:
    account, where = standing.account, label(app)
    if app.user and app.user not in (account.user, str(account.uid)):
        yield (
            f"{where}: user: {quoted(app.user)} is not the user we run as; leave it "
            f"out or start the server as that user (it is {account.user!r} now) or "
            "as root"
        )
    if app.group and app.group not in (account.group, str(account.gid)):
        yield (
            f"{where}: group: {quoted(app.group)} is not the group we run as; leave "
            f"it out or start the server in that group (it is {account.group!r} now) "
            "or as root"
        )


def _ceilings() -> dict[str, int]:
    if _may_raise_limits():
        # Not even root gets more descriptors than this.
        try:
            with open("/proc/sys/fs/nr_open", encoding="ascii") as file:
                return {"nofile": int(file.read())}
        except (OSError, ValueError):
            return {}
    found = {}
    for name in LIMIT_NAMES:
        _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
        if hard != resource.RLIM_INFINITY:
            found[name] = hard
    return found


def _may_raise_limits() -> bool:
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("CapEff:"):
                    return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    except OSError:
        pass
    return os.geteuid() == 0
