"""Which file's owner an app runs as, and that no link leads to another's."""

from __future__ import annotations

import os
import types

import attrs
import pytest
from zope.interface import implementer

from passtwist.api.accounts import Group, User
from passtwist.api.detection import AppFiles, Detection, Ownership
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework, ISpawnMethod
from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.api.settings import AppSettings, ServerSettings
from passtwist.api.standing import Standing
from passtwist.errors import DetectionError


@implementer(IFramework)
class Plain:
    """Knows apps by start.py."""

    name = "wsgi"
    description = "start.py"
    priority = 50
    child = os.path.abspath(__file__)
    distribution = ""

    def detect(self, files):
        return Detection("start:app", "start.py", ("start.py is there",))


@implementer(ISpawnMethod)
class Method:
    """The spawn method of every app here."""

    name = "auto"
    aliases = ()
    description = "of a test"

    def create_spawner(self, app, toolkit):
        raise AssertionError("resolving creates no spawner")


class Everybody:
    """Each uid has an account, u and its number."""

    def user(self, key):
        text = str(key).removeprefix("u")
        return User(f"u{text}", int(text), 100, f"/users/u{text}", "/bin/sh")

    def group(self, key):
        return Group(f"g{key}", int(key))

    def groups_of(self, user, gid):
        return (gid, 200)


@pytest.fixture
def registry(source):
    module = types.ModuleType("plugin")

    @hookimpl
    def passtwist_spawn_methods():
        return [Method()]

    @hookimpl
    def passtwist_frameworks():
        return [Plain()]

    vars(module).update(locals())
    return Registry.from_sources([source("plain", module)])


@pytest.fixture
def run_as(tmp_path, registry):
    """Resolve the app in ``root`` as a server that is root would."""
    standing = attrs.evolve(
        Standing.current(), switches_users=True, accounts=Everybody()
    )

    def run_as(**settings):
        app = AppSettings(name="shop", root=str(tmp_path / "root"), **settings)
        return resolve(app, ServerSettings(default_user="u9"), registry, standing)

    return run_as


def own(path, uid, text=""):
    """A file or folder of that user."""
    path.parent.mkdir(exist_ok=True)
    if not path.is_symlink():
        path.write_text(text)
    os.chown(path, uid, uid, follow_symlinks=False)


@pytest.mark.root
@pytest.mark.parametrize(
    ("entry", "uid"),
    [
        ("", 1),
        ("lib/main.py:app", 2),
        ("lib.main:app", 2),
        ("pack:app", 3),
        ("link.py:app", 4),
        ("elsewhere:app", 1),
    ],
)
def test_the_file_that_is_loaded_counts(tmp_path, run_as, entry, uid):
    """That of the entry, if it is beneath the root, else what was detected."""
    root = tmp_path / "root"
    root.mkdir()
    own(root / "start.py", 1)
    own(root / "lib" / "main.py", 2)
    own(root / "pack" / "__init__.py", 3)
    (root / "link.py").symlink_to("start.py")
    own(root / "link.py", 4)
    spec = run_as(entry=entry).spec
    assert (spec.user, spec.uid, spec.gid) == (f"u{uid}", uid, 100)
    assert (spec.groups, spec.home, spec.shell) == (
        (100, 200),
        f"/users/u{uid}",
        "/bin/sh",
    )


@pytest.mark.root
def test_without_any_file_the_root_counts(tmp_path, run_as):
    """An app that lies in its virtualenv, say."""
    (tmp_path / "root").mkdir()
    os.chown(tmp_path / "root", 7, 7)
    assert run_as(entry="elsewhere:app").spec.uid == 7


@pytest.mark.root
def test_a_folder_that_is_a_link_leads_to_nobody(tmp_path, run_as):
    """Else who owns the root could run code as the owner of any other site."""
    (tmp_path / "root").mkdir()
    os.chown(tmp_path / "root", 7, 7)
    own(tmp_path / "victim" / "main.py", 8)
    (tmp_path / "root" / "lib").symlink_to(tmp_path / "victim")
    assert run_as(entry="lib/main.py:app").spec.uid == 7


@pytest.mark.root
def test_two_owners_are_an_error_of_the_app(tmp_path, run_as):
    """With its name and place."""
    own(tmp_path / "root" / "start.py", 8)
    os.chown(tmp_path / "root", 7, 7)
    with pytest.raises(DetectionError) as caught:
        run_as()
    assert str(caught.value).startswith(
        f"app shop in {tmp_path}/root: its startup file belongs to user 'u8', but its "
        "folder to 'u7', who could run code as 'u8' that way; set user"
    )


@pytest.mark.root
def test_what_is_not_followed_is_told_once(tmp_path, run_as):
    """As a note, and as the reason."""
    own(tmp_path / "root" / "start.py", 8)
    resolved = run_as(user="u0")
    reason = "user: 'u0' is root, which no app gets; so default_user it is, 'u9'"
    assert (resolved.spec.uid, resolved.notes) == (9, (reason,))
    assert resolved.explanation.user_reason == reason


def test_one_user_needs_no_account(tmp_path, registry):
    """Nothing is looked up, nothing is switched."""
    (tmp_path / "start.py").write_text("")
    standing = attrs.evolve(Standing.current(), switches_users=False, accounts=None)
    app = AppSettings(name="shop", root=str(tmp_path))
    spec = resolve(app, ServerSettings(), registry, standing).spec
    assert (spec.user, spec.uid, spec.gid, spec.groups) == ("", -1, -1, ())


@pytest.mark.parametrize("path", ["..", "a/..", ".", "none", "file/x", "../root/file"])
def test_what_is_not_beneath_the_root_has_no_owner(tmp_path, path):
    """Nor what is not there."""
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "file").write_text("")
    files = AppFiles(str(tmp_path / "root"))
    assert files.owner(path) is None
    assert files.owner("file") == Ownership(os.geteuid(), os.getegid())
    assert files.owner() == files.owner("a")
