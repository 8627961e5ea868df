"""Whose the runtime directory is, and who could put another in its place."""

from __future__ import annotations

import os

import pytest

from passtwist.errors import StartupError
from passtwist.spawning.runtime_dir import RuntimeDir

pytestmark = pytest.mark.root

UID, GID = 5001, 5002


def owner(path):
    found = path.stat()
    return found.st_uid, found.st_gid


def test_it_is_made_for_whom_root_is_left_for(tmp_path):
    """And others may reach what is in it."""
    RuntimeDir(str(tmp_path / "a" / "run")).hand_over(UID, GID)
    assert owner(tmp_path / "a" / "run") == (UID, GID)
    assert (tmp_path / "a" / "run").stat().st_mode & 0o777 == 0o711
    assert owner(tmp_path / "a") == (0, 0)


def test_an_empty_one_of_roots_changes_hands(tmp_path):
    """As systemd makes it, for RuntimeDirectory=."""
    (tmp_path / "run").mkdir()
    RuntimeDir(str(tmp_path / "run")).hand_over(UID, GID)
    assert owner(tmp_path / "run") == (UID, GID)


def test_one_in_use_does_not_change_hands(tmp_path):
    """Its owner could exchange the code that a server of root's runs."""
    running = RuntimeDir(str(tmp_path / "run"))
    running.acquire()
    RuntimeDir(str(tmp_path / "run")).hand_over(UID, GID)
    assert owner(tmp_path / "run") == (0, 0)
    running.release()


def test_a_link_in_its_place_is_an_error(tmp_path):
    """What it leads to keeps its owner."""
    (tmp_path / "target").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "target")
    with pytest.raises(StartupError, match="set runtime_dir to another folder"):
        RuntimeDir(str(tmp_path / "run")).hand_over(UID, GID)
    assert owner(tmp_path / "target") == (0, 0)


@pytest.mark.parametrize(
    ("uid", "mode", "whose"),
    [(UID, 0o755, f"user {UID}"), (0, 0o775, "others"), (0, 0o777, "others")],
)
def test_a_folder_where_others_could_exchange_it_is_refused(tmp_path, uid, mode, whose):
    """The spawn manager runs code from there, as root."""
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, uid, GID)
    folder.chmod(mode)
    runtime = RuntimeDir(str(folder / "run"))
    with pytest.raises(StartupError) as caught:
        runtime.acquire()
    runtime.release()
    assert str(caught.value) == (
        f"runtime_dir {folder}/run lies in {folder}, where {whose} may put another in "
        "its place; set runtime_dir to a folder in which only root may write, as "
        "/run/passtwist"
    )


def test_a_folder_like_tmp_will_do(tmp_path):
    """Where each may remove only what is theirs."""
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    runtime = RuntimeDir(str(folder / "run"))
    runtime.acquire()
    runtime.release()
    assert list(folder.iterdir()) == []
