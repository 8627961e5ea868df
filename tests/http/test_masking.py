"""Secrets do not show, and what only looks like one does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.masking import (
    MASK,
    is_secret,
    mask_secrets,
    masked_environment,
    secret_values,
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("SECRET_KEY=abc", "SECRET_KEY=********"),
        ("API_KEY: abc, X=1", "API_KEY: ********, X=1"),
        (
            "'aws_secret_access_key': 'a\\'b', 'x': 'y'",
            "'aws_secret_access_key': '********', 'x': 'y'",
        ),
        ('"githubToken" = "abc def"', '"githubToken" = "********"'),
        ("SECRET_KEY = b'abc'", "SECRET_KEY = '********'"),
        ("DB_PASSWORD=abc", "DB_PASSWORD=********"),
        ("DB_PWD=abc PWD=/srv", "DB_PWD=******** PWD=/srv"),
        ("DATABASE_URL=postgres://a:b@c/d", "DATABASE_URL=********"),
        ("postgres://a:b@c/d", "postgres://a:********@c/d"),
        ("redis://:b@c/0", "redis://:********@c/0"),
        ("at postgres://a:b@b@c/d?x", "at postgres://a:********@c/d?x"),
        ("https://abc@sentry.test/1", "https://********@sentry.test/1"),
        ("to https://shop.test/@me", "to https://shop.test/@me"),
        ("PATH=/usr/bin", "PATH=/usr/bin"),
        ("a token of love", "a token of love"),
        ("KeyError: 'shop'", "KeyError: 'shop'"),
        ("KeyboardInterrupt: x", "KeyboardInterrupt: x"),
        ("passenger_wsgi:application", "passenger_wsgi:application"),
        ("3 passed: all", "3 passed: all"),
    ],
)
def test_secrets_are_masked(text, masked):
    """By names that sound like secrets, in the usual notations, and in URLs."""
    assert mask_secrets(text) == masked
    assert mask_secrets(masked) == masked


def test_the_value_of_a_secret_is_masked_wherever_it_stands():
    """An error names the value alone; the password of a URL is one, too."""
    environ = {
        "API_TOKEN": "tell-nobody",
        "QUEUE": "amqp://guest:hidden-too@mq/1",
        "PIN_KEY": "1234",
        "LANG": "C.UTF-8",
    }
    values = secret_values(environ)
    assert values == ["tell-nobody", "hidden-too"]
    text = "bad credentials 'tell-nobody' (hidden-too) in C.UTF-8: 1234 rows"
    assert mask_secrets(text, values) == (
        f"bad credentials '{MASK}' ({MASK}) in C.UTF-8: 1234 rows"
    )


def test_an_environment_can_be_shown():
    """Sorted; a value that contains a secret of another variable is masked too."""
    environ = {
        "SECRET_KEY": "tell-nobody",
        "PIN_KEY": "1",
        "COMMAND": "run --with tell-nobody",
        "BROKER": "amqp://guest:guest@mq/1",
        "PATH": "/usr/bin",
    }
    assert masked_environment(environ) == [
        ("BROKER", f"amqp://guest:{MASK}@mq/1"),
        ("COMMAND", f"run --with {MASK}"),
        ("PATH", "/usr/bin"),
        ("PIN_KEY", MASK),
        ("SECRET_KEY", MASK),
    ]


@given(
    name=st.from_regex(r"[A-Z]{0,8}(KEY|SECRET|TOKEN|PASS)S?", fullmatch=True),
    value=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6),
)
def test_no_value_of_an_environment_survives(name, value):
    """Whatever the value is made of, and wherever it stands."""
    environ = {name: value, "OTHER": f"see {value} there"}
    assert is_secret(name)
    shown = [f"{key}={text}" for key, text in masked_environment(environ)]
    assert shown[0 if name < "OTHER" else 1] == f"{name}={MASK}"
    assert f"see {MASK} there" in mask_secrets(environ["OTHER"], secret_values(environ))


@pytest.mark.parametrize("letter", ["x", "KEY", "pass", "a://", " ", "a:", "KEY ", "'"])
def test_a_megabyte_of_anything_is_looked_through_in_no_time(letter):
    """The time grows with the text, not with its square: the suite's limit holds."""
    text = letter * (1_000_000 // len(letter))
    assert mask_secrets(text).count("x") == text.count("x")
