"""The request of a health check is what a client's would be."""

from __future__ import annotations

import attrs
import pytest

from passtwist.api.settings import for_folders
from passtwist.http.health_request import health_request
from passtwist.http.refusal import Refusal


def request(**keys):
    settings = for_folders(["/srv/shop"], {}, environ={}).apps[0]
    return health_request(attrs.evolve(settings, **keys))


def environ(**keys):
    pairs = [one.decode() for one in request(**keys).pairs]
    found = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert len(found) * 2 == len(pairs)
    return found


def test_all_that_an_app_needs_is_there():
    """Nothing else is."""
    assert environ(health_check="/healthz?deep=1") == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/healthz",
        "QUERY_STRING": "deep=1",
        "REQUEST_URI": "/healthz?deep=1",
        "RAW_URI": "/healthz?deep=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_SOFTWARE": "passtwist",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "80",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "passtwist health check",
        "HTTP_ACCEPT": "*/*",
        "HTTP_X_REQUEST_ID": "health-check",
        "wsgi.url_scheme": "http",
    }


def test_an_app_below_a_path():
    """The setting is a path of the app."""
    found = environ(health_check="/healthz", base_uri="/shop")
    names = ("SCRIPT_NAME", "PATH_INFO", "REQUEST_URI")
    assert [found[name] for name in names] == ["/shop", "/healthz", "/shop/healthz"]


@pytest.mark.parametrize(
    ("hosts", "host"),
    [
        ((), "localhost"),
        (("shop.example.org", "x.example.org"), "shop.example.org"),
        (("*.example.org",), "www.example.org"),
        (("bücher.example",), "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_one_of_the_app(hosts, host):
    """Frameworks refuse others."""
    assert environ(health_check="/", hosts=hosts)["HTTP_HOST"] == host


def test_what_no_client_may_ask_for_is_refused():
    with pytest.raises(Refusal):
        request(health_check="/%00")
