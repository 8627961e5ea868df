"""The server's own log in a file, and how twistd is told of it."""

from __future__ import annotations

import pytest
from twisted.application.service import Application, MultiService
from twisted.logger import ILogObserver, Logger, LogPublisher, globalLogPublisher
from zope.interface import implementer
from zope.interface.verify import verifyObject

from passtwist.api.log_target import KEPT
from passtwist.errors import StartupError
from passtwist.http.access_log import AccessLog
from passtwist.service.logs import Logs
from passtwist.service.server_log import ServerLog
from passtwist.tap import _log_file


def text_of(path):
    """What a log says, without times."""
    lines = path.read_text().splitlines()
    return [line.partition("] ")[2] for line in lines]


@pytest.fixture
def log(tmp_path):
    """A log in a file, for all that is logged meanwhile."""
    log = ServerLog(str(tmp_path / "log"))
    observer = log.observer()
    globalLogPublisher.addObserver(observer)
    yield log
    globalLogPublisher.removeObserver(observer)
    log._target.close()


def test_each_event_is_written_at_once(log, tmp_path):
    """As twistd would, whatever characters there are in it."""
    assert verifyObject(ILogObserver, log.observer())
    Logger().info("{text}", text="é \udcff")
    assert text_of(tmp_path / "log") == ["é \\udcff"]


def test_a_file_that_was_moved_away_is_opened_anew(log, tmp_path):
    """Not rotated: whoever moved it has other names for old ones."""
    Logger().info("one")
    (tmp_path / "log").rename(tmp_path / "old")
    log.reopen()
    Logger().info("two")
    assert text_of(tmp_path / "old") == ["one"]
    assert text_of(tmp_path / "log") == ["two"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_can_not_be_opened_anew_stays(tmp_path):
    """And says so itself."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = ServerLog(str(folder / "log"))
    observer = log.observer()
    globalLogPublisher.addObserver(observer)
    (folder / "log").rename(tmp_path / "old")
    folder.rmdir()
    log.reopen()
    globalLogPublisher.removeObserver(observer)
    log._target.close()
    (said,) = text_of(tmp_path / "old")
    assert said.startswith(
        "the server's log can't be reopened, the file that is open stays: "
    )


def test_a_full_disk_costs_lines_and_nothing_else():
    """No exception for each of them, and a bounded memory."""
    log = ServerLog("/dev/full")
    publisher = LogPublisher(log.observer())
    logger = Logger(observer=publisher)
    text = "x" * 999
    count = 3 * KEPT // len(text)
    for _ in range(count):
        logger.info("{text}", text=text)
    assert 0 < log.dropped < count
    log._target.close()
    assert log.dropped == count


def test_one_that_can_not_be_opened_is_an_error_at_the_start(tmp_path):
    """With flag and file."""
    path = str(tmp_path / "missing" / "log")
    with pytest.raises(StartupError) as raised:
        ServerLog(path)
    assert str(raised.value) == (
        f"--logfile {path}: No such file or directory; name a file that can be written"
    )


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"nodaemon": True}, ""),
        ({"nodaemon": False}, "twistd.log"),
        ({"nodaemon": True, "logfile": "my.log"}, "my.log"),
        ({"nodaemon": True, "logfile": "-"}, ""),
        ({"nodaemon": False, "logfile": "my.log", "syslog": True}, ""),
        ({"nodaemon": True, "logfile": "my.log", "logger": "some.factory"}, ""),
    ],
)
def test_the_file_is_the_one_that_twistd_would_take(options, path):
    """None where it would take no file."""
    usual = {"logger": None, "syslog": False, "logfile": None}
    assert _log_file({**usual, **options}) == path
    assert _log_file(None) == ""


@implementer(ILogObserver)
class Observer:
    """Somebody's own, set in a tac file."""

    def __call__(self, event):
        raise AssertionError("not called")


def logs():
    return Logs(AccessLog("off"), lambda: {"shop": 3}, lambda: None)


def test_twistd_learns_of_it_by_its_application(tmp_path):
    """Unless that has an observer of its own; other parents are left alone."""
    ours = logs()
    application = Application("a")
    ours.attach(application)
    assert application.getComponent(ILogObserver) is None
    log = ServerLog(str(tmp_path / "log"))
    ours.keep(log)
    ours.attach(MultiService())
    ours.attach(application)
    application.getComponent(ILogObserver)({"log_format": "hello", "log_time": 0.0})
    assert (tmp_path / "log").read_text().endswith("hello\n")
    other = Application("b")
    observer = Observer()
    other.setComponent(ILogObserver, observer)
    ours.attach(other)
    assert other.getComponent(ILogObserver) is observer
    log._target.close()


def test_the_status_counts_what_no_log_took():
    """By log, and by app."""
    assert logs().page() == {
        "access_log_dropped": 0,
        "server_log_dropped": 0,
        "output_dropped": {"shop": 3},
    }
