"""A server that is root: an app's user asks for restarts, and leads it nowhere."""

from __future__ import annotations

import os
import pwd
from contextlib import closing

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.accounts import OWNER, Watch, as_user, give, site_of, status_of
from tests.integration.sites import serve

pytestmark = pytest.mark.root

TOUCH = """
import os, sys
with open(sys.argv[1], "ab"):
    os.utime(sys.argv[1])
print("null")
"""


def wait_for_generation(server, generation):
    """Wait until it serves; its only worker's pid."""

    def look():
        app = server.app("site")
        if (app["state"], app["generation"]) != ("ready", generation):
            return None
        return [one["pid"] for one in app["workers"] if one["state"] == "idle"]

    return wait_until(look, f"generation {generation}")


def test_the_owner_of_an_app_restarts_it_by_touching_a_file(ground):
    """Which root looks at and does not open; the new workers are the owner's."""
    site = site_of(OWNER, ground, "site")
    folder = site.root / "tmp"
    folder.mkdir()
    give(site.root, OWNER)
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 200
        as_user(OWNER, TOUCH, folder / "restart.txt")
        (pid,) = wait_for_generation(server, 1)
        assert status_of(pid)["Uid"] == [str(pwd.getpwnam(OWNER).pw_uid)] * 4
        with closing(Watch(folder / "restart.txt")) as watch:
            os.utime(folder / "restart.txt", ns=(1, 1))
            wait_for_generation(server, 2)
            assert watch.opened() == []


def test_in_development_the_owner_saves_a_file(ground):
    """None is opened by root, and no link is followed to where it leads."""
    site = site_of(OWNER, ground, "site", environment="development")
    secrets = ground / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "secret.py").write_text("one")
    (site.root / "link").symlink_to(secrets)
    (site.root / "link.py").symlink_to(secrets / "secret.py")
    give(site.root, OWNER)
    with (
        closing(Watch(secrets, secrets / "secret.py")) as watch,
        serve(ground, site, default_user="nobody") as server,
    ):
        assert server.get("/").status == 200
        with (secrets / "secret.py").open("a") as file:
            file.write("two")
        watch.opened()  # by us
        as_user(OWNER, TOUCH, site.root / "passenger_wsgi.py")
        wait_for_generation(server, 1)
        assert (
            "link"
            not in server.log().partition("restart 1 begins: ")[2].partition("\n")[0]
        )
        assert watch.opened() == []
