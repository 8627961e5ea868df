"""restart.txt and always_restart.txt: real files, a clock that the test sets."""

from __future__ import annotations

import os

import pytest
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import IRestartTrigger
from passtwist.builtin.restart_txt.plugin import LOOK_EVERY, RestartFiles
from passtwist.testing.fakes import FakeRestartableApp
from passtwist.testing.reactor import HandReactor

TOUCHED = "tmp/restart.txt was touched"
ALWAYS = "tmp/always_restart.txt is there"


class Watched:
    """An app in a folder with a ``tmp``, and what watches it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tmp").mkdir()
        self.reactor = HandReactor()
        self.app = FakeRestartableApp(str(folder))
        self.stop = lambda: None

    def watch(self):
        self.stop = RestartFiles().watch(self.app, self.reactor)

    def touch(self, name="restart.txt", nanoseconds=1):
        path = self.folder / "tmp" / name
        path.touch()
        os.utime(path, ns=(nanoseconds, nanoseconds))
        return path

    def look(self):
        """What the next look asks for."""
        before = len(self.app.restarts)
        self.reactor.advance(LOOK_EVERY)
        return self.app.restarts[before:]


@pytest.fixture
def watched(tmp_path):
    found = Watched(tmp_path)
    yield found
    found.stop()
    assert found.reactor.getDelayedCalls() == []


def test_it_is_a_restart_trigger():
    assert verifyObject(IRestartTrigger, RestartFiles())


def test_a_file_that_appears_restarts_without_any_request(watched):
    """Once; and nothing more while nothing changes."""
    watched.watch()
    assert watched.look() == []
    watched.touch()
    assert watched.look() == [TOUCHED]
    assert [watched.look() for _ in range(5)] == [[]] * 5


def test_a_file_that_is_there_at_the_first_look_does_not_restart(watched):
    """Who started the server has the code of now."""
    watched.touch()
    watched.watch()
    assert watched.look() == []


def test_one_nanosecond_is_a_change(watched):
    """Forth or back."""
    watched.touch(nanoseconds=1_000_000_000)
    watched.watch()
    watched.touch(nanoseconds=1_000_000_001)
    assert watched.look() == [TOUCHED]
    watched.touch(nanoseconds=999)
    assert watched.look() == [TOUCHED]


def test_deleting_it_does_not_restart_but_its_reappearance_does(watched):
    """Even with the time that it had."""
    path = watched.touch()
    watched.watch()
    path.unlink()
    assert watched.look() == []
    watched.touch()
    assert watched.look() == [TOUCHED]


def test_fifty_touches_between_two_looks_are_one_restart(watched):
    """Only what is seen counts."""
    watched.watch()
    for number in range(50):
        watched.touch(nanoseconds=number)
    assert watched.look() == [TOUCHED]


def test_a_link_in_place_of_the_file_is_no_file(watched, tmp_path):
    """It leads nowhere, whatever it points at and however that changes."""
    other = tmp_path / "other"
    other.touch()
    for name in ("restart.txt", "always_restart.txt"):
        (tmp_path / "tmp" / name).symlink_to(other)
    watched.watch()
    os.utime(other, ns=(5, 5))
    assert (watched.look(), watched.app.before_requests) == ([], [])


def test_the_root_is_resolved_at_each_look(tmp_path):
    """A deployment swaps a link to the release; a touched file in it counts."""
    releases = [
        Watched(tmp_path / name)
        for name in ("one", "two")
        if not (tmp_path / name).mkdir()
    ]
    current = tmp_path / "current"
    current.symlink_to(releases[0].folder)
    reactor, app = HandReactor(), FakeRestartableApp(str(current))
    stop = RestartFiles().watch(app, reactor)
    releases[1].touch()
    reactor.advance(LOOK_EVERY)
    assert app.restarts == []
    current.unlink()
    current.symlink_to(releases[1].folder)
    reactor.advance(LOOK_EVERY)
    assert app.restarts == [TOUCHED]
    stop()


def test_another_file_counts_even_with_the_same_time(tmp_path):
    """A build may give all files of every release one time."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Watched(tmp_path / name).touch()
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "one")
    reactor, app = HandReactor(), FakeRestartableApp(str(current))
    stop = RestartFiles().watch(app, reactor)
    current.unlink()
    current.symlink_to(tmp_path / "two")
    reactor.advance(LOOK_EVERY)
    reactor.advance(LOOK_EVERY)
    assert app.restarts == [TOUCHED]
    stop()


def test_always_restart_is_asked_for_while_the_file_is_there(watched):
    """A folder of that name will do as well, as Passenger's did."""
    watched.watch()
    path = watched.touch("always_restart.txt")
    watched.look()
    assert watched.app.before_requests == [ALWAYS]
    watched.look()
    path.unlink()
    watched.look()
    assert watched.app.before_requests == [ALWAYS, ""]
    path.mkdir()
    watched.look()
    assert watched.app.before_requests == [ALWAYS, "", ALWAYS]
    assert watched.app.restarts == []


def test_always_restart_counts_at_the_first_look(watched):
    """It is no event but a state."""
    watched.touch("always_restart.txt")
    watched.watch()
    assert watched.app.before_requests == [ALWAYS]


def test_a_restart_dir_of_ones_own(watched, tmp_path):
    """Relative to the root."""
    (tmp_path / "var" / "restart").mkdir(parents=True)
    watched.app.restart_dir = "var/restart"
    watched.watch()
    (tmp_path / "var" / "restart" / "restart.txt").touch()
    assert watched.look() == ["var/restart/restart.txt was touched"]


def test_neither_root_nor_folder_need_be_there(tmp_path):
    """A release may come later."""
    reactor, app = HandReactor(), FakeRestartableApp(str(tmp_path / "later"))
    stop = RestartFiles().watch(app, reactor)
    reactor.advance(LOOK_EVERY)
    (tmp_path / "later" / "tmp").mkdir(parents=True)
    (tmp_path / "later" / "tmp" / "restart.txt").touch()
    reactor.advance(LOOK_EVERY)
    assert app.restarts == [TOUCHED]
    stop()


def test_two_system_calls_for_each_app_and_second(watched, monkeypatch):
    """And no file is opened: it may be another user's."""
    calls = []
    stat = os.stat

    def counted(*args, **options):
        calls.append(options)
        return stat(*args, **options)

    def opened(*args, **options):
        raise AssertionError("a file was opened")

    watched.watch()
    watched.touch()
    monkeypatch.setattr(os, "stat", counted)
    monkeypatch.setattr(os, "open", opened)
    assert watched.look() == [TOUCHED]
    assert calls == [{"follow_symlinks": False}] * 2
