"""Nothing that is tracked tells of the machine on which it was written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Written in pieces, so that this file could be searched too.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w~.*])/(?:home|root|work|Users)/\w",  # somebody's folder
            r"\bpypi\." + r"(?:org|python)|files\.python" + r"hosted",
            r"--extra-" + r"index-url|--find-" + r"links",
            r"\bX" + r"XX\b|\bFIX" + r"ME\b|\bTO" + r"DO\b",
            r"\bNotImplemented" + r"Error\b",
        ]
    )
)


def tracked_files(root):
    """What git tracks that is text; skip the check where there is no git."""
    shown = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False
    )
    if shown.returncode:
        pytest.skip("needs a git checkout: there is no list of files without")
    return [root / name for name in shown.stdout.decode().split("\0") if name]


def find_words(paths, root):
    """Each line with a forbidden word."""
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # no text, or not here any more
        for number, line in enumerate(text.splitlines(), 1):
            if word := FORBIDDEN.search(line):
                yield f"{path.relative_to(root)}:{number}: {word.group()}"


def test_no_tracked_file_has_a_forbidden_word():
    """No folder of a person, no package index, no unfinished business."""
    assert list(find_words(tracked_files(ROOT), ROOT)) == []


@pytest.mark.parametrize(
    "line",
    [
        "cd /home/" + "alice/site",
        'root = "/root/' + 'x"',
        "see https://pypi." + "org/project/x",
        "# TO" + "DO: later",
        "raise NotImplemented" + "Error",
    ],
)
def test_forbidden_words_are_found(tmp_path, line):
    """The search itself can fail."""
    (tmp_path / "a.txt").write_text(f"first\n{line}\n")
    assert len(list(find_words([tmp_path / "a.txt"], tmp_path))) == 1


def test_harmless_words_are_not_found(tmp_path):
    """A path below the home of whoever runs it, an address with such a part."""
    (tmp_path / "a.txt").write_text(
        "~/site/x\nhttp://localhost/root/x\nhome/x\nNotImplemented\nPyPI\n"
    )
    assert list(find_words([tmp_path / "a.txt"], tmp_path)) == []
