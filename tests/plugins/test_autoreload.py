"""The reload of development: real files, and the real watchfiles."""

from __future__ import annotations

import builtins
import threading

import pytest
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import IRestartTrigger
from passtwist.builtin.autoreload.plugin import (
    Autoreload,
    difference,
    is_source,
    times_of,
)
from passtwist.testing.fakes import FakeRestartableApp
from passtwist.testing.reactor import HandReactor
from passtwist.testing.waiting import wait_until

FILES = (
    "app.py",
    "shop/views.py",
    "shop/templates/shop/index.html",
    "locale/de/LC_MESSAGES/django.mo",
    ".env",
)
OTHERS = (
    "db.sqlite3",
    "notes.txt",
    "media/photo.jpg",
    "__pycache__/app.cpython-311.pyc",
    "shop/__pycache__/views.py",
    ".git/hooks/x.py",
    ".venv/lib/python3.11/site-packages/x.py",
    "env/pyvenv.cfg",
    "env/lib/x.py",
    "node_modules/x/index.html",
    "tmp/x.py",
)


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")


@pytest.fixture
def app(tmp_path):
    make(tmp_path, *FILES, *OTHERS)
    return FakeRestartableApp(str(tmp_path), "development")


@pytest.fixture
def reactor():
    return HandReactor()


@pytest.fixture
def watching(app, reactor):
    stop = Autoreload().watch(app, reactor)
    yield
    stop()


def restarted(app, reactor):
    """The reason of the next restart."""

    def look():
        reactor.advance(0)
        return app.restarts

    wait_until(look, "a restart")
    return app.restarts.pop(0)


def test_it_is_a_restart_trigger():
    assert verifyObject(IRestartTrigger, Autoreload())


def test_what_counts_is_what_the_author_wrote(app, tmp_path):
    """No folder of others is watched, nor one that passtwist looks after."""
    folders, times = times_of(str(tmp_path), str(tmp_path / "tmp"))
    assert sorted(times) == sorted(str(tmp_path / name) for name in FILES)
    assert sorted(folders) == sorted(
        str(tmp_path / name)
        for name in (
            *("", "shop", "shop/templates", "shop/templates/shop"),
            *("locale", "locale/de", "locale/de/LC_MESSAGES", "media"),
        )
    )


def test_an_app_in_the_root_of_its_virtualenv(tmp_path):
    """Its own files count all the same."""
    make(tmp_path, "pyvenv.cfg", "app.py", "lib/site-packages/x.py")
    _, times = times_of(str(tmp_path))
    assert list(times) == [str(tmp_path / "app.py")]


def test_links_are_not_followed(tmp_path):
    """Neither to a folder nor to a file: they may lead anywhere."""
    make(tmp_path, "elsewhere/x.py", "root/app.py")
    root = tmp_path / "root"
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "file.py").symlink_to(tmp_path / "elsewhere" / "x.py")
    assert times_of(str(root)) == (
        [str(root)],
        {str(root / "app.py"): (root / "app.py").stat().st_mtime_ns},
    )


@pytest.mark.parametrize("name", ["a.py", "a.html", ".env", "local.env", "django.mo"])
def test_names_that_count(name):
    assert is_source(name)


@pytest.mark.parametrize(
    "name", ["a.pyc", "a.css", "a.js", "db.sqlite3", "py", "a.log"]
)
def test_names_that_do_not(name):
    assert not is_source(name)


def test_the_reason_names_what_changed():
    """The first file, and how many more."""
    old, new = {"/r/a": 1, "/r/b": 1, "/r/c": 1}, {"/r/a": 1, "/r/b": 2, "/r/d": 1}
    assert difference("/r", old, old) == ""
    assert difference("/r", old, {**old, "/r/b": 2}) == "b changed"
    assert difference("/r", old, new) == "b and 2 more changed"


def test_a_changed_file_restarts(watching, app, reactor, tmp_path):
    """Also one in a folder below."""
    (tmp_path / "app.py").write_text("two")
    assert restarted(app, reactor) == "app.py changed"
    (tmp_path / "shop/templates/shop/index.html").write_text("two")
    assert restarted(app, reactor) == "shop/templates/shop/index.html changed"


def test_a_file_in_a_new_folder_restarts(watching, app, reactor, tmp_path):
    """And a change of it; and when it goes."""
    make(tmp_path, "new/deep/er.py")
    assert restarted(app, reactor) == "new/deep/er.py changed"
    (tmp_path / "new/deep/er.py").write_text("two")
    assert restarted(app, reactor) == "new/deep/er.py changed"
    (tmp_path / "new/deep/er.py").unlink()
    assert restarted(app, reactor) == "new/deep/er.py changed"


def test_what_the_app_writes_itself_does_not_restart(watching, app, reactor, tmp_path):
    """Only the change that comes after it does."""
    make(tmp_path, *OTHERS)
    (tmp_path / "app.py").write_text("two")
    assert restarted(app, reactor) == "app.py changed"


def test_a_replaced_file_restarts(watching, app, reactor, tmp_path):
    """As editors save."""
    (tmp_path / ".app.py.swp").write_text("two")
    (tmp_path / ".app.py.swp").rename(tmp_path / "app.py")
    assert restarted(app, reactor) == "app.py changed"


def test_nothing_is_watched_in_production(app, reactor, tmp_path):
    """A deployment is no typing."""
    app.environment = "production"
    stop = Autoreload().watch(app, reactor)
    assert not [one for one in _threads() if "autoreload" in one]
    stop()


def test_the_thread_ends_with_the_watching(app, reactor):
    """None is left behind."""
    stop = Autoreload().watch(app, reactor)
    assert [one for one in _threads() if "autoreload" in one] == ["autoreload of shop"]
    stop()
    assert not [one for one in _threads() if "autoreload" in one]


def test_a_root_that_is_not_there_yet(reactor, tmp_path):
    """It is watched once it is."""
    app = FakeRestartableApp(str(tmp_path / "later"), "development")
    stop = Autoreload().watch(app, reactor)
    make(tmp_path, "later/app.py")
    assert restarted(app, reactor) == "app.py changed"
    stop()


def test_without_watchfiles_the_log_names_the_extra(app, reactor, monkeypatch):
    """One line, and the server goes on."""
    real = builtins.__import__

    def without(name, *args, **options):
        if name == "watchfiles":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with capturedLogs() as logs:
        Autoreload().watch(app, reactor)()
    [line] = logs
    assert line["log_level"] is LogLevel.warn
    assert "passtwist[dev]" in line["log_format"]


def _threads():
    return [one.name for one in threading.enumerate()]
