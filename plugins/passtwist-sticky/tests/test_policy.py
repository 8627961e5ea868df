"""Which worker a request should have, and the cookie that says so."""

from __future__ import annotations

import re

import pytest
from passtwist_sticky.plugin import Sticky, passtwist_pool_policy
from zope.interface import implementer
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import IPoolPolicy, IRequest

KEY = bytes(range(32))
NAME = b"_passtwist_route"


@implementer(IRequest)
class Asked:
    """As much of a request as a policy looks at, and the rest."""

    body, body_file, body_length, body_stream = b"", None, 0, None
    upgrade = ()
    method, path = b"GET", b"/"

    def __init__(self, *pairs):
        self.pairs = pairs


def request(*pairs):
    asked = Asked(*pairs)
    assert verifyObject(IRequest, asked)
    return asked


def mark_of(worker, app="shop"):
    header = Sticky(KEY).headers(app, request(), worker)
    found = re.search(b"=([0-9a-f]{48});", header)
    assert found
    return found[1]


def test_it_is_a_pool_policy_with_a_key_of_its_own():
    """Two servers have different ones."""
    one, other = passtwist_pool_policy(), passtwist_pool_policy()
    assert verifyObject(IPoolPolicy, one)
    assert one.headers("shop", request(), 1) != other.headers("shop", request(), 1)


def test_who_brings_no_cookie_goes_anywhere_and_gets_one():
    """For the whole site, as it is at its root; and not for scripts."""
    policy = Sticky(KEY)
    assert policy.prefer("shop", request()) == 0
    assert policy.headers("shop", request(), 7) == (
        b"Set-Cookie: _passtwist_route=%b; Path=/; HttpOnly; SameSite=Lax\r\n"
        % mark_of(7)
    )


def test_the_cookie_is_for_the_app_s_own_path():
    """Its base URI."""
    header = Sticky(KEY).headers("shop", request(b"SCRIPT_NAME", b"/shop"), 7)
    assert b"; Path=/shop; HttpOnly" in header


@pytest.mark.parametrize(
    ("pairs", "secure"),
    [
        ((), False),
        ((b"wsgi.url_scheme", b"http"), False),
        ((b"HTTPS", b"on"), True),
        # A value is no name.
        ((b"HTTP_X", b"HTTPS", b"HTTPS", b"on"), True),
        ((b"HTTP_X", b"HTTPS", b"on", b"on"), False),
    ],
)
def test_the_cookie_is_secure_only_over_https(pairs, secure):
    """Else a site without TLS would never get it back."""
    header = Sticky(KEY).headers("shop", request(*pairs), 7)
    assert header.endswith(b"; Secure\r\n") == secure


def test_who_brings_the_cookie_goes_to_its_worker_and_gets_no_other():
    """Among other cookies, however they are written."""
    policy = Sticky(KEY)
    cookies = b"a=1;%b=%b ; b=2" % (NAME, mark_of(7))
    asked = request(b"HTTP_COOKIE", cookies)
    assert policy.prefer("shop", asked) == 7
    assert policy.headers("shop", asked, 7) == b""


def test_who_comes_to_another_worker_gets_its_cookie():
    """The one that it brought was of a worker that is gone or full."""
    policy = Sticky(KEY)
    asked = request(b"HTTP_COOKIE", b"%b=%b" % (NAME, mark_of(7)))
    assert mark_of(8) in policy.headers("shop", asked, 8)


def test_the_cookie_of_an_app_above_does_not_lead_anywhere_here():
    """Where one app lies beneath another's path, a client has two of that name."""
    policy = Sticky(KEY)
    both = b"%b=%b; %b=%b" % (NAME, mark_of(3, "home"), NAME, mark_of(7))
    asked = request(b"HTTP_COOKIE", both)
    assert policy.prefer("shop", asked) == 7
    assert policy.prefer("home", asked) == 3
    assert policy.prefer("blog", asked) == 0
    assert policy.headers("shop", asked, 7) == b""


@pytest.mark.parametrize(
    "cookies",
    [b"_passtwist_route", b"_passtwist_route=", b"=;;=", b"x_passtwist_route=7"],
)
def test_what_others_wrote_into_the_cookie_leads_nowhere(cookies):
    """And a new one is set."""
    policy = Sticky(KEY)
    asked = request(b"HTTP_COOKIE", cookies)
    assert policy.prefer("shop", asked) == 0
    assert mark_of(7) in policy.headers("shop", asked, 7)
