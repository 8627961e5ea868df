"""The page about strict requests says what the table of requirements does."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
from tests.http.requirements import CASES
from tests.integration.smuggling import ATTACKS

PAGE = (ROOT / "docs" / "explanation" / "strict-requests.md").read_text()


def test_every_status_of_a_refusal_is_told():
    """Those that the cases show; and 408, which takes time."""
    told = {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)}
    refused = {case.statuses[-1] for case in CASES if case.statuses and not case.open}
    assert told == {status for status in refused if status >= 400} | {408}


def test_the_number_of_attacks_is_about_right():
    """Within ten of what it says."""
    (told,) = re.findall(r"About (\d+) known attacks", PAGE)
    assert abs(len(ATTACKS) - int(told)) <= 10
