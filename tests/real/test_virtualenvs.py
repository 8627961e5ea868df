"""The environments of other people's applications: whole, or not there."""

from __future__ import annotations

import subprocess

import pytest

from tests.real.virtualenvs import (
    IndexUnreachable,
    InstallFailed,
    key,
    virtualenv,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# The index alone decides, not what the machine's own settings of pip add.
BARE = {
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_NO_INDEX": "",
}
NOWHERE = {**BARE, "PIP_INDEX_URL": "http://127.0.0.1:1/simple/"}


@pytest.fixture(scope="module")
def pythons(trac_python, httpbin_python, django_python):
    """The interpreters of all three."""
    return {"Trac": trac_python, "httpbin": httpbin_python, "Django": django_python}


def test_nothing_of_ours_is_installed_for_the_apps(pythons):
    """Neither passtwist nor what its controller needs."""
    listing = (
        "import importlib.metadata as m; "
        "print(*{d.metadata['Name'] for d in m.distributions()}, sep='\\n')"
    )
    for name, python in pythons.items():
        told = subprocess.run(
            [python, "-c", listing], capture_output=True, text=True, check=True
        ).stdout.split()
        ours = {"passtwist", "twisted", "zope.interface", "pluggy", "attrs"}
        assert name in told
        assert ours & {each.lower() for each in told} == set()


def test_an_index_out_of_reach_is_told_apart_and_leaves_nothing(tmp_path):
    """Nothing listens on port 1; the tests that need the app are skipped then."""
    with pytest.raises(IndexUnreachable, match=r"its index for trac>=1$"):
        virtualenv("app", "trac>=1", cache=tmp_path, pip_env=NOWHERE)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_an_index_without_the_application_is_a_failure(tmp_path):
    """With the words of pip; such a test is not skipped."""
    index = tmp_path / "index"
    index.mkdir()
    empty = {**BARE, "PIP_INDEX_URL": index.as_uri()}
    with pytest.raises(InstallFailed, match=r"No matching distribution found for trac"):
        virtualenv("app", "trac>=1", cache=tmp_path / "made", pip_env=empty)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["lock"]


def test_what_was_interrupted_is_made_anew_and_what_is_complete_is_kept(tmp_path):
    """An environment is used only when its mark says that all of it is there."""
    folder = tmp_path / key("app", ())
    folder.mkdir()
    (folder / "half").touch()
    python = virtualenv("app", cache=tmp_path)
    assert (python.is_file(), python.parents[1]) == (True, folder)
    assert (folder / "half").exists() is False

    (folder / "ours").touch()
    assert virtualenv("app", cache=tmp_path) == python
    assert (folder / "ours").exists()
