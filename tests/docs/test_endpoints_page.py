"""The page about endpoints has the kinds and arguments that there are."""

from __future__ import annotations

import re

from passtwist.service.listening.endpoints import KINDS, arguments_of
from tests.docs.pages import ROOT, Page


def test_the_table_of_endpoints_is_that_of_the_code():
    """Each kind, each argument in its order, each default."""
    page = Page(ROOT / "docs" / "reference" / "endpoints.md")
    rows = page.table("## Kinds")
    said = {
        kind.strip("`"): [
            tuple(part.strip('"') for part in argument.partition("=")[::2])
            for argument in re.findall(r"`([^`]*)`", arguments)
        ]
        for kind, arguments, _ in rows
    }
    assert said == {kind: arguments_of(kind) for kind in KINDS}
