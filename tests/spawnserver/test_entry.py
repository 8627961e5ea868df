"""What an entry names."""

from __future__ import annotations

import sys

import pytest

from passtwist.spawnserver.entry import BadEntry, parse, resolve


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder that is first on the path, with modules that are forgotten after."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("shop.wsgi:application", ("shop.wsgi", "application", False)),
        ("shop:make()", ("shop", "make", True)),
        ("shop:obj.app", ("shop", "obj.app", False)),
        ("shop", ("shop", "", False)),
        ("wsgi/site.py:app", ("wsgi/site.py", "app", False)),
    ],
)
def test_an_entry_has_a_place_an_attribute_and_maybe_parentheses(text, parsed):
    assert parse(text) == parsed


@pytest.mark.parametrize("text", ["", ":app"])
def test_an_entry_without_a_module_says_what_one_is_like(text):
    with pytest.raises(BadEntry) as caught:
        parse(text)
    assert 'like "shop.wsgi:application"' in caught.value.advice


SOURCE = """
class Site:
    def app(self, environ, start_response):
        return [b"method"]

site = Site()

def application(environ, start_response):
    return [b"function"]

def make():
    return application

number = 3
"""


@pytest.mark.parametrize(
    ("entry", "body"),
    [
        ("one_site:application", b"function"),
        ("one_site", b"function"),
        ("one_site:make()", b"function"),
        ("one_site:site.app", b"method"),
        ("one_site.py:application", b"function"),
        ("folder/two_site.py:make()", b"function"),
        ("folder/two-dashes.py", b"function"),
    ],
)
def test_each_kind_of_entry_is_resolved(root, entry, body):
    """Module or file, function, method or factory."""
    (root / "folder").mkdir()
    for name in ("one_site.py", "folder/two_site.py", "folder/two-dashes.py"):
        (root / name).write_text(SOURCE)
    assert resolve(entry, str(root))({}, None) == [body]


def test_a_file_named_like_a_known_module_does_not_replace_it(root):
    """Others must go on seeing theirs."""
    import json

    (root / "json.py").write_text(SOURCE)
    assert resolve("json.py", str(root))({}, None) == [b"function"]
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("entry", "problem", "advice"),
    [
        ("one_site:ap", "no attribute 'ap'", "application, make"),
        ("one_site:site.ap", "no attribute 'site.ap'", "application"),
        ("one_site:number", "number of one_site is int", "factory"),
        ("empty:app", "empty has no attribute 'app'", "Nothing in empty"),
        ("empty", "neither application nor app", "Nothing in empty"),
        ("folder/", "is not a Python file", ""),
    ],
)
def test_an_entry_that_names_nothing_says_what_there_is(root, entry, problem, advice):
    """So that a slip of the pen is mended without looking it up."""
    (root / "one_site.py").write_text(SOURCE)
    (root / "empty.py").write_text("")
    with pytest.raises(BadEntry) as caught:
        resolve(entry, str(root))
    assert problem in str(caught.value)
    assert advice in caught.value.advice


def test_a_file_that_fails_is_not_left_behind_half_loaded(root):
    """The next try begins afresh."""
    (root / "broken_site.py").write_text("raise ValueError")
    with pytest.raises(ValueError):
        resolve("broken_site.py", str(root))
    assert "broken_site" not in sys.modules
