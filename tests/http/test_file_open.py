"""Opening files of apps: nothing but regular files beneath a folder."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import socket

import pytest

from passtwist.http.files.opening import NoFile, OpenFolder, Readers
from passtwist.http.files.paths import Folder

OWNER, STRANGER = "games", "daemon"  # on every Debian


@pytest.fixture
def root(tmp_path):
    """An app's root with a folder of files in it."""
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "a.txt").write_text("hello")
    (files / "sub" / "b.txt").write_text("deeper")
    return tmp_path


def read(root, *names, folder="files", uid=None, readers=None):
    """What is in a file."""
    encoded = [os.fsencode(name) for name in names]
    place = Folder(str(root), folder)
    who = readers or Readers(str(root), uid)
    with OpenFolder(place, encoded[:-1], who) as here:
        found = here.open(encoded[-1])
    try:
        return os.pread(found.descriptor, found.size, 0)
    finally:
        os.close(found.descriptor)


def refused(root, *names, **kinds):
    """Status and reason of a refusal."""
    with pytest.raises(NoFile) as caught:
        read(root, *names, **kinds)
    return caught.value.status, caught.value.reason


def test_a_regular_file_is_opened(root):
    """In the folder and below it; named relative to the root, or absolute."""
    assert read(root, "a.txt") == b"hello"
    assert read(root, "sub", "b.txt") == b"deeper"
    assert read(root, "a.txt", folder=str(root / "files")) == b"hello"


def test_what_is_not_there_is_just_not_found(root):
    """Nothing is logged of it: a folder, a file as a folder, a name too long."""
    for names in (
        ("none",),
        ("none", "a.txt"),
        ("a.txt", "b.txt"),
        ("sub",),
        ("x" * 256,),
        ("x" * 256, "a.txt"),
    ):
        assert refused(root, *names) == (404, "")
    assert refused(root, "a.txt", folder="nowhere") == (404, "")
    assert refused(root / "gone", "a.txt") == (404, "")


def test_no_symbolic_link_is_followed(root):
    """Wherever it leads and wherever it stands; the log is told."""
    (root / "files" / "link.txt").symlink_to("a.txt")
    (root / "files" / "away").symlink_to("/etc")
    (root / "files" / "dangling").symlink_to("nowhere")
    (root / "other").symlink_to("files")
    links = (404, "a symbolic link is on the way, and links are not followed")
    assert refused(root, "link.txt") == links
    assert refused(root, "away", "passwd") == links
    assert refused(root, "dangling") == links
    assert refused(root, "a.txt", folder="other") == links
    # A folder elsewhere is reached from the top.
    assert refused(root, "self", "status", folder="/proc") == links


def test_the_root_itself_may_be_a_link(root, tmp_path):
    """A deployment may swap it at any time: it is the operator's."""
    (root / "current").symlink_to(root)
    assert read(root / "current", "a.txt") == b"hello"


def test_neither_fifos_nor_sockets_nor_devices_are_read(root):
    """Opening them does not wait for anybody, either."""
    odd = (404, "it is neither a file nor a folder")
    os.mkfifo(root / "files" / "fifo")
    assert refused(root, "fifo") == odd
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(root / "files" / "socket"))
        assert refused(root, "socket") == (404, "")
    assert refused("/", "null", folder="/dev") == odd


def test_a_folder_that_is_swapped_for_a_link_during_the_walk_leads_nowhere(
    root, monkeypatch
):
    """Each step starts where the one before has arrived, and follows no link."""
    files = root / "files"
    secret = root / "secret"
    secret.mkdir()
    (secret / "b.txt").write_text("secret")
    real_open = os.open

    def swapping(path, flags, *rest, **more):
        if path == b"sub" and not (files / "sub").is_symlink():
            (files / "sub").rename(root / "old")
            (files / "sub").symlink_to(secret)
        return real_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", swapping)
    assert refused(root, "sub", "b.txt")[0] == 404

    def moving(path, flags, *rest, **more):
        if path == b"b.txt" and (root / "old").exists():
            (root / "old").rename(root / "older")
        return real_open(path, flags, *rest, **more)

    (files / "sub").unlink()
    (root / "old").rename(files / "sub")
    monkeypatch.setattr(os, "open", moving)
    assert read(root, "sub", "b.txt") == b"deeper"


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        # It may be there again soon.
        (errno.EMFILE, 503, "no file can be opened now: Too many open files"),
        (errno.EACCES, 404, "the server's user may not read it"),
        (errno.EIO, 500, "the file can't be opened: Input/output error"),
    ],
)
def test_what_goes_wrong_is_told(root, monkeypatch, number, status, reason):
    """The client gets a status, the log a reason."""

    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", failing)
    assert refused(root, "a.txt") == (status, reason)


def test_the_last_descriptors_are_not_for_files(root):
    """Slow readers of files don't keep workers from being connected to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)  # the number that the file will have
    os.close(free)
    few = free + 16
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
        found = refused(root, "a.txt")
        resource.setrlimit(resource.RLIMIT_NOFILE, (few + 1, hard))
        content = read(root, "a.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (found, content) == (
        (503, f"of {few} descriptors few are left"),
        b"hello",
    )


# --- a server that is root ------------------------------------------------------


@pytest.mark.root
def test_root_sends_what_everybody_may_read(root):
    """Whoever it belongs to."""
    path = root / "files" / "a.txt"
    for mode in (0o644, 0o604):
        path.chmod(mode)
        assert read(root, "a.txt") == b"hello"


@pytest.mark.root
def test_root_sends_private_files_of_the_apps_user_only(root):
    """That user is the owner of the root, or who the settings name; never root."""
    owner, stranger = (pwd.getpwnam(name).pw_uid for name in (OWNER, STRANGER))
    path = root / "files" / "a.txt"
    path.chmod(0o600)
    whose = "nor open for everybody, and the server is root; chown or chmod it"

    def outcomes():
        found = []
        for root_owner in (0, owner):
            os.chown(root, root_owner, -1)
            for uid in (None, owner, stranger):
                try:
                    found.append(read(root, "a.txt", uid=uid).decode())
                except NoFile as no_file:
                    assert no_file.reason.endswith(whose)
                    found.append("")
        return found

    os.chown(path, 0, 0)
    assert outcomes() == [""] * 6
    os.chown(path, owner, 0)
    assert outcomes() == ["", "hello", "", "hello", "hello", ""]
    os.chown(path, stranger, 0)
    assert outcomes() == ["", "", "hello", "", "", "hello"]


@pytest.mark.root
def test_root_goes_through_no_folder_that_the_apps_user_may_not_enter(root):
    """Though what lies in it would be open for everybody."""
    owner = pwd.getpwnam(OWNER).pw_uid
    (root / "files" / "sub").chmod(0o700)
    os.chown(root, owner, -1)
    status, reason = refused(root, "sub", "b.txt")
    assert status == 404
    assert reason.startswith(
        f"a folder on the way is neither the app's user's (uid {owner})"
    )
    os.chown(root / "files" / "sub", owner, -1)
    assert read(root, "sub", "b.txt") == b"deeper"


@pytest.mark.root
def test_a_hard_link_to_a_file_of_roots_is_not_sent(root):
    """An app's user may have made it."""
    secret = root / "shadow"
    secret.write_text("root's")
    secret.chmod(0o640)
    os.link(secret, root / "files" / "c.txt")
    os.chown(root, pwd.getpwnam(OWNER).pw_uid, -1)
    assert refused(root, "c.txt")[0] == 404


@pytest.mark.root
@pytest.mark.parametrize(("linker", "is_sent"), [(OWNER, True), (STRANGER, False)])
def test_a_root_that_is_a_link_is_its_owners(root, tmp_path_factory, linker, is_sent):
    """Nobody gets at the private files of another by a link to that one's folder."""
    owner, maker = (pwd.getpwnam(name).pw_uid for name in (OWNER, linker))
    path = root / "files" / "a.txt"
    path.chmod(0o600)
    for each in (root, root / "files", path):
        os.chown(each, owner, -1)
    link = tmp_path_factory.mktemp("links") / "app"
    link.symlink_to(root)
    os.chown(link, maker, -1, follow_symlinks=False)
    if is_sent:
        assert read(link, "a.txt") == b"hello"
    else:
        status, reason = refused(link, "a.txt")
        assert (status, f"(uid {maker})" in reason) == (404, True)
