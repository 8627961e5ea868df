"""The documentation holds together."""

from __future__ import annotations

import ast
import json
import re
import tomllib

import pytest

from tests.docs.pages import ROOT, Page, all_pages

PARSERS = {"toml": tomllib.loads, "json": json.loads, "python": ast.parse}


@pytest.fixture(params=all_pages(), ids=lambda page: str(page.path.relative_to(ROOT)))
def page(request):
    """Each page in turn."""
    return request.param


def test_links_lead_somewhere(page):
    """To a file that exists, and a heading that is in it."""
    assert page.broken_links() == []


def test_blocks_of_code_can_be_parsed(page):
    """TOML, JSON and Python; a block that has no language is a picture."""
    for block in page.blocks:
        PARSERS.get(block.language, str)(block.text)


def test_a_page_begins_with_its_title(page):
    """One heading of the first rank, in the first line."""
    titles = re.findall(r"^# .*", re.sub(r"(?ms)^```.*?^```$", "", page.text), re.M)
    assert titles == [page.text.splitlines()[0]]


def test_every_page_is_reached_from_the_index():
    """By links, from docs/index.md."""
    seen, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".md" or not path.is_file():
            continue
        seen.add(path)
        targets = (link.partition("#")[0] for link in Page(path).links)
        waiting += [(path.parent / each).resolve() for each in targets if each]
    documentation = {page.path for page in all_pages() if "docs" in page.path.parts}
    assert documentation - seen == set()


def test_the_readme_opens_with_the_two_commands():
    """Somebody in a hurry reads no further."""
    block = Page(ROOT / "README.md").blocks[0]
    commands = [line.split("#")[0].strip() for line in block.text.splitlines()]
    assert commands == ["make serve", "make test"]


def test_broken_links_are_found(tmp_path):
    """The check itself can fail."""
    (tmp_path / "other.md").write_text("# Other\n\n## Its part\n")
    path = tmp_path / "page.md"
    path.write_text(
        "# Page\n[a](other.md) [b](other.md#its-part) [c](#page) [d](https://x.test)\n"
        "[e](missing.md) [f](other.md#no-part) [g](#nothing)\n```\n[h](code.md)\n```\n"
    )
    assert Page(path).broken_links() == ["missing.md", "other.md#no-part", "#nothing"]
