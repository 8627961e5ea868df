"""Looking into a request."""

from __future__ import annotations

import pytest
from zope.interface import implementer

from passtwist.api.interfaces import IRequest
from passtwist.api.requests import variable


@implementer(IRequest)
class Asked:
    body, body_file, body_length = b"", None, 0
    method, path = b"GET", b"/"

    def __init__(self, *pairs):
        self.pairs = list(pairs)


@pytest.mark.parametrize(
    ("pairs", "value"),
    [
        ((), b""),
        ((b"A", b"1", b"B", b"2"), b"2"),
        ((b"A", b"B", b"B", b"2"), b"2"),
        ((b"A", b"B"), b""),
        ((b"B", b""), b""),
    ],
)
def test_a_variable_is_found_by_its_name(pairs, value):
    """A value that looks like a name is none."""
    assert variable(Asked(*pairs), b"B") == value
