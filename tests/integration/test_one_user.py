"""A server that leaves root, by twistd's --uid, is one user for everything."""

from __future__ import annotations

import json
import os
import pwd

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import PATIENCE
from tests.integration.accounts import (
    OWNER,
    STRANGER,
    server_for_all,
    site_of,
    status_of,
)

pytestmark = pytest.mark.root


@pytest.fixture
def twistd():
    """Make a server by flags of twistd and flags of its own."""
    found = server_for_all()
    if found is None:
        pytest.skip("needs passtwist and its interpreter where all users can read them")
    python, env = found

    def make(flags, *args):
        # What root's modules were compiled to is not this user's to write.
        return RunningServer(*args, before=flags, python=python, env=env)

    return make


def test_after_uid_everything_is_one_user(ground, twistd):
    """Bound and opened as root; then controller, manager and workers are the user."""
    site = site_of(STRANGER, ground, "who")
    log = ground / "access"
    server = twistd([f"--uid={OWNER}"], f"--access-log={log}", str(site.root))
    account = pwd.getpwnam(OWNER)
    with server:
        facts = json.loads(server.get("/").text)
        assert facts["uids"] == [account.pw_uid] * 3
        assert facts["environment"]["PATH"] == os.environ["PATH"]
        page = server.status()
        spawners = [one["pid"] for one in page["spawn_server"]["spawners"]]
        pids = [page["pid"], page["spawn_server"]["pid"], facts["pid"], *spawners]
        for pid in pids:
            status = status_of(pid)
            assert status["Uid"] == [str(account.pw_uid)] * 4
            assert status["Gid"] == [str(account.pw_gid)] * 4
        folder = server.runtime_dir.stat()
        assert (folder.st_uid, folder.st_mode & 0o777) == (account.pw_uid, 0o711)
    assert '"GET / HTTP/1.1" 200' in log.read_text()
    assert log.stat().st_uid == 0  # nobody else may make files there


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (f'user = "{STRANGER}"', f'user: "{STRANGER}" is not the user we run as'),
        (f'group = "{STRANGER}"', f'group: "{STRANGER}" is not the group we run as'),
        (
            "limits = { nofile = 1048575 }",
            "limits: nofile = 1048575 is more than the server may give",
        ),
    ],
)
def test_who_left_root_can_give_nobody_more_than_it_has(ground, twistd, key, problem):
    """Found when root is left, for before it could; the server does not start."""
    site = site_of(OWNER, ground, "who")
    file = ground / "passtwist.toml"
    file.write_text(f'[[app]]\nname = "who"\nroot = "{site.root}"\n{key}\n')
    server = twistd([f"--uid={OWNER}"], f"--config={file}")
    try:
        server.launch()
        assert server.wait_for_exit(PATIENCE) == 1
        assert f'[[app]] "who": {problem}' in server.log()
        assert not server.processes()
    finally:
        server.remove()


def test_a_way_back_to_root_is_refused(ground, twistd):
    """With --euid, apps could be root whenever they like."""
    site = site_of(OWNER, ground, "who")
    server = twistd([f"--uid={OWNER}", "--euid"], str(site.root))
    try:
        server.launch()
        assert server.wait_for_exit(PATIENCE) == 1
        assert "with a way back to root, which apps would have as well" in server.log()
        assert not server.processes()
    finally:
        server.remove()


def test_a_user_without_an_account_is_told(ground, twistd):
    """twistd takes any number."""
    site = site_of(OWNER, ground, "who")
    server = twistd(["--uid=2147483640"], str(site.root))
    try:
        server.launch()
        assert server.wait_for_exit(PATIENCE) == 1
        assert "passtwist: --uid: user 2147483640 has no account" in server.log()
    finally:
        server.remove()
