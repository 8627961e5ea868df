"""Pages of the documentation: their links, their blocks of code, their tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """What is no code."""
        return re.sub(r"`[^`\n]*`", "", FENCE.sub("", self.text))

    @property
    def blocks(self) -> list[Block]:
        """Its blocks of code."""
        return [Block(*found.groups()) for found in FENCE.finditer(self.text)]

    @property
    def links(self) -> list[str]:
        """Where it links to."""
        return LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """The names of its headings, as web pages of the repository have them."""
        headings = HEADING.findall(FENCE.sub("", self.text))
        return {
            re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in headings
        }

    def broken_links(self) -> list[str]:
        """Links to files and headings that do not exist; the web is not asked."""
        broken = []
        for link in self.links:
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            path = (self.path.parent / target).resolve() if target else self.path
            if not path.exists() or (anchor and anchor not in Page(path).anchors):
                broken.append(link)
        return broken

    def table(self, heading: str) -> list[list[str]]:
        """The cells of the first table below a heading, without its head."""
        _, _, below = self.text.partition(f"\n{heading}\n")
        rows = re.search(r"^\|.*?(?=^[^|]|\Z)", below, re.MULTILINE | re.DOTALL)
        assert rows, f"{self.path} has no table below {heading}"
        lines = rows.group().strip().splitlines()[2:]
        return [
            [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines
        ]


def all_pages(root: Path = ROOT) -> list[Page]:
    """The pages for readers, in the order of their paths."""
    paths = [
        *root.glob("*.md"),
        *root.glob("docs/**/*.md"),
        *root.glob("changelog.d/README.md"),
        *root.glob("examples/**/*.md"),
    ]
    return [Page(path) for path in sorted(paths)]
