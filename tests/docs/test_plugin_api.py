"""The reference of the plugin API is the API."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from passtwist.api.registry import Registry
from passtwist.testing.child_halves import FUNCTIONS
from tests.docs.pages import ROOT, Page
from tests.docs.signatures import Described, classes_in, functions_in

API = ROOT / "passtwist" / "api"
PAGE = Page(ROOT / "docs" / "reference" / "plugin-api.md")


# Where the interfaces are, and what plugins look through.
MODULES = (
    *("interfaces", "sessions", "front_end", "policies", "error_page"),
    "detection",
)


def described_in(text: str) -> list[Described]:
    """What a page says of classes: a heading each, bullets and headings below."""
    found = []
    for section in re.split(r"^(?=#{2,3} )", text, flags=re.MULTILINE):
        named = re.match(r"### `([A-Z]\w+(?:\(\w+\))?)`\n", section)
        if named:
            attributes = re.findall(r"^- `([^`]+)`: \S", section, re.MULTILINE)
            methods = re.findall(r"^#### `([^`]+)`\n\n\S", section, re.MULTILINE)
            found.append(Described(named[1], tuple(attributes), tuple(methods)))
    return found


def headings_below(text: str, heading: str) -> list[str]:
    """The headings of the third rank in one section, without backquotes."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^### `([^`]+)`\n\n\S", section, re.MULTILINE)


def test_every_hook_has_a_heading_with_its_exact_signature():
    """And no other; what a plugin reads is what pluggy checks it against."""
    hooks = functions_in(API / "hookspecs.py", "passtwist_")
    assert headings_below(PAGE.text, "Hooks") == hooks


def test_every_interface_is_described_with_exact_signatures():
    """Each interface, each attribute, each method, and what a plugin looks through."""
    described = {one.head: one for one in described_in(PAGE.text)}
    named = {
        one.head: one for module in MODULES for one in classes_in(API / f"{module}.py")
    }
    assert described == named


def test_the_functions_of_a_child_half_are_those_that_are_called():
    """With their arguments."""
    headings = headings_below(PAGE.text, "The child half of a framework")
    shown = {each.partition("(")[0]: each.count(",") + 1 for each in headings}
    assert shown == FUNCTIONS


def hooks_used() -> set[str]:
    """The hooks that plugins in this repository have."""
    found = set()
    for path in [
        *ROOT.glob("passtwist/builtin/*/plugin.py"),
        *ROOT.glob("plugins/*/*/plugin.py"),
    ]:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(
                "hookimpl" in ast.unparse(each) for each in node.decorator_list
            ):
                found.add(node.name)
    return found


def test_a_hook_exists_only_if_a_plugin_in_this_repository_uses_it():
    """What nobody has used does not work."""
    hooks = functions_in(API / "hookspecs.py", "passtwist_")
    assert hooks_used() == {hook.partition("(")[0] for hook in hooks}


@pytest.mark.parametrize(
    "text",
    [
        block.text
        for block in PAGE.blocks
        if block.language == "python" and "@hookimpl" in block.text
    ],
)
def test_every_plugin_that_is_shown_is_accepted(text, tmp_path):
    """It is loaded, and what it provides is checked."""
    path = tmp_path / "shown.py"
    path.write_text(text)
    before = Registry.load()
    registry = Registry.load([str(path)])
    assert len(registry.provided) - len(before.provided) == text.count("@implementer")


def test_the_tests_that_are_shown_can_be_imported():
    """The names are right; that such classes pass is shown elsewhere."""
    (text,) = [block.text for block in PAGE.blocks if "passtwist.testing" in block.text]
    names: dict[str, type] = {}
    exec(compile(text, str(PAGE.path), "exec"), names)
    assert {"TestFresh", "TestTextFiles"} <= names.keys()


def test_a_wrong_signature_is_noticed(tmp_path):
    """The comparison itself can fail."""
    source = "class IPool(Interface):\n name: str = 1\n def get(a: int) -> str: ...\n"
    path = Path(tmp_path / "interfaces.py")
    path.write_text(source)
    (named,) = classes_in(path)
    text = (
        "### `IPool`\n\nText.\n\n- `name: str`: text.\n\n#### `get({}) -> str`\n\nText"
    )
    assert described_in(text.format("a: int")) == [named]
    assert described_in(text.format("a: str")) != [named]
    assert described_in(text.format("a: int").replace("\n\nText", "")) != [named]
