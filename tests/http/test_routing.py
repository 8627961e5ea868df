"""Host and path choose the app."""

from __future__ import annotations

import pytest

from passtwist.http.config import Site
from passtwist.http.routing import Router, host_of

SITES = [
    Site("any"),
    Site("any-api", base_uri="/api"),
    Site("shop", hosts=("shop.example", "www.shop.example")),
    Site("shop-admin", hosts=("shop.example",), base_uri="/admin/"),
    Site("wild", hosts=("*.example",)),
    Site("wilder", hosts=("*.deep.example",), base_uri="/x"),
    Site("cafe", hosts=("café.example",)),
]


@pytest.mark.parametrize(
    ("host", "path", "app"),
    [
        (None, b"/", "any"),
        (b"unknown", b"/", "any"),
        (b"unknown", b"/api", "any-api"),
        (b"unknown", b"/api/", "any-api"),
        (b"unknown", b"/api/x", "any-api"),
        (b"unknown", b"/apix", "any"),
        (b"unknown", b"/API", "any"),
        (b"shop.example", b"/", "shop"),
        (b"SHOP.example.:8080", b"/", "shop"),
        (b"www.shop.example", b"/admin", "shop"),
        (b"shop.example", b"/admin", "shop-admin"),
        (b"shop.example", b"/admin/x", "shop-admin"),
        (b"shop.example", b"/administrator", "shop"),
        (b"shop.example", b"/api", "shop"),
        (b"a.example", b"/", "wild"),
        (b"a.b.example", b"/", "wild"),
        (b"example", b"/", "any"),
        (b".example", b"/", "any"),
        (b"a.deep.example", b"/x/y", "wilder"),
        (b"a.deep.example", b"/y", "wild"),
        (b"xn--caf-dma.example", b"/", "cafe"),
        (b"[::1]:80", b"/", "any"),
        (b"shop.example", b"*", "shop"),
        (b"unknown", b"*", "any"),
    ],
)
def test_a_request_goes_to(host, path, app):
    """Exact host, longer wildcard, wildcard, any host; then the longest base URI."""
    router = Router(SITES)
    for _ in range(2):
        assert router.find(host, path).site.app == app


def test_who_fits_nothing_gets_nothing():
    """There is no app to fall back to."""
    router = Router([Site("shop", hosts=("shop.example",), base_uri="/shop")])
    assert router.find(b"shop.example", b"/") is None
    assert router.find(b"other", b"/shop") is None
    assert router.find(None, b"/shop") is None
    assert router.find(b"shop.example", b"*") is None


def test_the_script_name_is_the_base_uri():
    """Without its final slash; empty at the root."""
    router = Router(SITES)
    assert router.find(b"shop.example", b"/admin/x").script_name == b"/admin"
    assert router.find(b"shop.example", b"/x").script_name == b""


def test_a_non_ascii_base_uri_matches_the_decoded_path():
    """Paths are compared as the app will see them."""
    router = Router([Site("cafe", base_uri="/café")])
    assert router.find(b"a", b"/caf\xc3\xa9/x").script_name == b"/caf\xc3\xa9"


def test_hosts_of_strangers_do_not_pile_up():
    """The memory of hosts is small."""
    router = Router(SITES)
    for number in range(3000):
        router.find(b"h%d" % number, b"/")
    assert len(router._known) <= 1024


def test_what_is_longer_than_any_name_is_nobodys_host():
    """It is not looked for, which would take long, and not remembered."""
    router = Router([Site("any", hosts=("*.example",)), Site("rest")])
    name = b"a." * 122 + b"example"
    assert router.find(name + b":65535", b"/").site.app == "any"
    router._known.clear()
    assert router.find(b"a." * 4000 + b"example", b"/").site.app == "rest"
    assert router._known == {}


@pytest.mark.parametrize(
    ("authority", "host"),
    [(b"A.B", b"a.b"), (b"a.:1", b"a"), (b"[::1]", b"[::1]"), (b"[::A]:1", b"[::a]")],
)
def test_the_host_of_an_authority(authority, host):
    """Lower case, no port, no final dot."""
    assert host_of(authority) == host
