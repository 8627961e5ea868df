"""Where a process prints that has a log file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from passtwist.worker.process import print_to
print_to(sys.argv[2])
os.write(1, b"out\\n")
os.write(2, b"err\\n")
"""


def run(log_file):
    """What still comes through the pipe."""
    told = subprocess.run(
        [sys.executable, "-c", PRINT, str(ROOT), str(log_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=True,
    )
    return told.stdout


def test_without_one_the_pipe_stays():
    """It is the server's log."""
    assert run("") == "out\nerr\n"


def test_both_streams_go_to_the_file_behind_what_is_there(tmp_path):
    """Nothing comes through the pipe."""
    (tmp_path / "log").write_text("before\n")
    assert run(tmp_path / "log") == ""
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("link", "it is a link"),
        ("folder", "Is a directory"),
        ("fifo", "No such device or address"),
        ("none/x", "No such file or directory"),
    ],
)
def test_what_can_not_be_opened_is_told_and_the_pipe_stays(tmp_path, kind, reason):
    """A link is not followed, a pipe that nobody reads is not waited for."""
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    log_file = tmp_path / kind
    told = f"passtwist: log_file {log_file} can't be opened: {reason}\n"
    assert run(log_file) == told + "out\nerr\n"
    assert (tmp_path / "target").read_text() == ""
