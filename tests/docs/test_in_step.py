"""What the documentation says of the code is what the code says."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from passtwist.http.log_format import Entry, as_json
from tests.architecture.layers import EVERYTHING_BUT_BUILTIN, LAYERS
from tests.docs.pages import ROOT, Page, all_pages


def in_words(layer):
    """A layer's row, but for what lives there."""
    names = [f"`{name}`" for name in layer.may_import]
    if layer.may_import == EVERYTHING_BUT_BUILTIN:
        names = ["everything but `builtin`"]
    names += [f"lazily `{name}`" for name in layer.may_import_lazily]
    where = "apps" if layer.below_the_controller else "controller"
    return [f"`{layer.name}`", ", ".join(names) or "nothing", where]


def test_the_table_of_layers_is_the_one_that_is_enforced():
    """Row by row, in the same order."""
    page = Page(ROOT / "docs" / "explanation" / "architecture.md")
    rows = page.table("## Layers")
    assert [row[:3] for row in rows] == [in_words(layer) for layer in LAYERS]
    assert all(len(row) == 4 and row[3] for row in rows)


def test_the_keys_of_the_access_log_are_those_that_are_written():
    """In the same order, with their types."""
    kinds = {str: "text", int: "number", float: "number", bool: "true or false"}
    page = Page(ROOT / "docs" / "reference" / "access-log.md")
    shown = [(row[0].strip("`"), row[1]) for row in page.table("## `json`")]
    entry = Entry(
        0.1, 0.1, 0.1, 0.1, b"", b"", b"", True, 0, 0, 0, (), b"", "", 0, "", 0, True
    )
    written = json.loads(as_json(entry))
    assert shown == [(key, kinds[type(one)]) for key, one in written.items()]


def commands_in(pages, name):
    """What documentation tells readers to type: words after the program's name."""
    for page in pages:
        for block in page.blocks:
            if block.language == "console":
                pattern = rf"^\$ (?:\S*/)?{name} (.*?)(?:\s+#.*)?$"
                for found in re.findall(pattern, block.text, re.MULTILINE):
                    yield page.path.name, found.split()


def test_every_command_that_is_shown_exists():
    """`passtwist WORD` in a console block, for each WORD."""
    from passtwist.cli.main import main

    known = set(main.commands)
    shown = {words[0] for _, words in commands_in(all_pages(), "passtwist")}
    assert shown >= {"explain", "status"}
    assert shown - known == set()


def test_every_flag_of_twistd_that_is_shown_exists():
    """Each command line is parsed as twistd would."""
    from passtwist.tap import Options

    flags = {f"--{name}" for name in Options().longOpt}
    flags = {flag.rstrip("=") for flag in flags} | {
        f"-{each}" for each in Options().shortOpt.replace(":", "")
    }
    shown = {
        word
        for _, words in commands_in(all_pages(), "twistd")
        for word in words[words.index("passtwist") :]
        if word.startswith("-")
    }
    assert shown - flags == set()


@pytest.mark.parametrize(
    "text",
    [
        block.text
        for page in all_pages()
        for block in page.blocks
        if block.language == "toml" and "[[app]]" in block.text
    ],
)
def test_every_configuration_that_is_shown_is_accepted(text, tmp_path):
    """With folders that exist in place of those in the example."""
    from passtwist.api.settings import load_file

    for root in re.findall(r'(?m)^root = "(.*?)"', text):
        folder = tmp_path / root.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        text = text.replace(f'"{root}"', f'"{folder}"')
    path = tmp_path / "passtwist.toml"
    path.write_text(text)
    settings = load_file(str(path))
    assert len(settings.apps) == len(tomllib.loads(text)["app"])
