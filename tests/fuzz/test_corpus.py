"""All that fuzzing ever began with or found, once more."""

from __future__ import annotations

import pytest

from tests.fuzz.corpus import KEPT, inputs
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_breaks_its_target(target):
    """What once was a finding stays mended."""
    found = inputs(target)
    assert found
    for data in found:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff", b"\r\n\r\n", b"\0" * 50])
def test_targets_take_any_bytes(target, data):
    """Nothing, and nonsense."""
    TARGETS[target](data)


def test_what_is_kept_belongs_to_a_target():
    """So that no file is forgotten when a target goes."""
    assert {file.name for file in KEPT.iterdir()} <= set(TARGETS)
