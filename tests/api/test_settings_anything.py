"""Whatever stands in a settings file, the answer is settings or problems."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_declare import declarations
from passtwist.api.settings_kinds import quoted
from passtwist.api.settings_load import good_defaults, structure
from passtwist.api.settings_server import ServerSettings

DECLARATIONS = [*declarations(ServerSettings), *declarations(AppSettings)]

texts = st.text(max_size=30) | st.sampled_from(
    ["30s", "1GiB", "/", "tcp:80", "*.a.example", "022", "10.0.0.0/8", "a:b"]
)
scalars = texts | st.integers() | st.floats() | st.booleans() | st.dates()
# All that a TOML document can hold.
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=5,
)
keys = st.sampled_from([one.key for one in DECLARATIONS]) | texts


def shown(key: str) -> str:
    """As far as it reads like a key."""
    return quoted(key)[1:-1].split(": ")[0]


@settings(deadline=None)
@given(one=st.sampled_from(DECLARATIONS), raw=anything)
def test_a_value_is_taken_or_refused_in_lines(one, raw):
    """A kind raises nothing but ValueError, with a message to print as it is."""
    try:
        value = one.kind.parse(raw)
    except ValueError as error:
        lines = str(error).split("\n")
        assert [line for line in lines if not line or not line.isprintable()] == []
    else:
        hash(value)


@settings(deadline=None)
@given(one=st.sampled_from(DECLARATIONS), text=texts)
def test_a_text_is_taken_or_refused(one, text):
    """As a flag or a variable; it goes the way of a value in a file."""
    raw = one.kind.from_text(text)
    try:
        one.kind.parse(raw)
    except ValueError as error:
        assert str(error).replace("\n", "").isprintable()


@settings(deadline=None)
@given(one=st.sampled_from(DECLARATIONS), raw=anything)
def test_a_normal_form_is_its_own_normal_form(one, raw):
    """What was taken once as a text is taken again, and stays as it is."""
    try:
        value = one.kind.parse(raw)
    except ValueError:
        return
    if isinstance(value, str):
        assert one.kind.parse(value) == value


@settings(deadline=None)
@given(cls=st.sampled_from([ServerSettings, AppSettings]), table=st.data())
def test_a_table_gives_settings_or_problems(cls, table):
    """Never both, never neither; what is wrong with one key is told once at most."""
    drawn = table.draw(st.dictionaries(keys, anything, max_size=5))
    problems: list[str] = []
    found = structure(cls, drawn, "[here]", problems)
    assert (found is None) == bool(problems)
    assert len(problems) == len(set(problems))
    assert {line.split(": ")[1] for line in problems} <= {shown(key) for key in drawn}
    assert [line for line in problems if not line.isprintable()] == []
    if found is not None:
        hash(found)


@settings(deadline=None)
@given(st.dictionaries(keys, anything, max_size=5))
def test_what_defaults_are_left_can_be_structured(drawn):
    """A wrong default is reported once, not again for each app."""
    problems: list[str] = []
    good = good_defaults(AppSettings, drawn, problems)
    assert len(problems) == len(set(problems))
    wrong = {line.split(": ")[1] for line in problems}
    assert wrong == {shown(key) for key in drawn.keys() - good.keys()}
    assert structure(AppSettings, good, "[app]", problems) is not None


@pytest.mark.parametrize("cls", [ServerSettings, AppSettings])
def test_defaults_are_what_an_empty_table_gives(cls):
    """The declaration's default and the class's are one."""
    assert structure(cls, {}, "[here]", []) == cls()
    for one in declarations(cls):
        assert getattr(cls(), one.key) == one.default


@pytest.mark.parametrize("one", DECLARATIONS, ids=lambda one: one.key)
def test_a_declaration_is_complete(one):
    """The reference page and --help have something to say on each key."""
    assert one.help[0] == one.help[0].strip()
    assert not one.help.endswith(".")
    assert one.kind.name
    assert one.kind.show(one.default)
    assert one.since == "0.1"
