"""Whoever may connect to a trusted Unix socket may say who the client is."""

from __future__ import annotations

import pytest

from passtwist.api.settings_rules import warnings
from passtwist.api.settings_server import ServerSettings


@pytest.mark.parametrize(
    ("endpoint", "warned"),
    [
        ("unix:/run/a.sock", True),
        ("unix:/run/a.sock:mode=666", True),
        ("unix:/run/a.sock:mode=0662:group=www-data", True),
        ("unix:/run/a.sock:660", False),
        ("unix:/run/a.sock:660:100", False),
        ("unix:/run/a.sock:backlog=100", True),
        ("unix:/run/a.sock:mode=rw", True),
        ("unix:/run/a.sock:mode=660", False),
        ("unix:/run/a.sock:lockfile=0:mode=600", False),
        ("haproxy:unix:/run/a.sock:mode=660", False),
        ("tcp:8080", False),
        ("systemd:domain=UNIX:name=web", False),
    ],
)
def test_a_trusted_socket_that_is_open_to_all_is_warned_of(endpoint, warned):
    """Where it is trusted, and only there."""
    trusting = ServerSettings(listen=(endpoint,), trusted_proxies=("unix",))
    expected = (
        '[server]: trusted_proxies: "unix" believes everybody on this machine: '
        f"all may connect to {endpoint}; add mode=660 and the group of the proxy, "
        "group=www-data"
    )
    assert warnings(trusting, ()) == ((expected,) if warned else ())
    assert warnings(ServerSettings(listen=(endpoint,)), ()) == ()


def test_so_is_one_where_the_proxy_protocol_says_who_the_client_is():
    """Trusted or not: this protocol is believed from whoever connects."""
    settings = ServerSettings(listen=("haproxy:unix:/run/a.sock",))
    assert warnings(settings, ()) == (
        (
            "[server]: listen: everybody on this machine may connect to "
            "haproxy:unix:/run/a.sock and say who the client is; add mode=660 and the "
            "group of the proxy, group=www-data"
        ),
    )
