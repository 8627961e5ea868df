"""What asks for restarts by itself: files that are touched, and that are saved."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration import commands
from tests.integration.shops import BROKEN, CODE, HTML, Shop, serving, serving_all
from tests.integration.sites import configure, serve

# Apps that do not meet; each is one test's own.
DEVELOPMENT = {"environment": "development"}
SHOPS = {
    "touched": {},
    "touched-first": {},
    "touches": {},
    "linked": {},
    "always": {},
    "saved": DEVELOPMENT,
    "typo": DEVELOPMENT,
    "production": {},
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    with serving_all(tmp_path_factory.mktemp("shops"), SHOPS) as found:
        yield found


# --- restart.txt ------------------------------------------------------------------


def test_touching_restart_txt_restarts_without_a_request(shops):
    """Nobody has to come and pay for it."""
    shop = shops["touched"]
    shop.answer()
    shop.release("two")
    shop.touch()
    assert set(serving(shop.wait_for("ready", 1)).values()) == {1}
    assert shop.has_logged("tmp/restart.txt was touched")
    assert shop.answer()[0] == "two"


def test_touching_restart_txt_before_any_request(shops):
    """The app is not started for it; its first request gets what is there then."""
    shop = shops["touched-first"]
    shop.touch()
    shop.wait_for("stopped", 1)
    shop.release("two")
    assert shop.answer()[0] == "two"


def test_a_storm_of_touches_is_two_restarts_at_most(shops):
    """One for what was seen at first, one for all that came later."""
    shop = shops["touches"]
    shop.answer()
    for _ in range(50):
        shop.touch()
    wait_until(lambda: shop.has_logged("tmp/restart.txt was touched"), "a restart")
    assert shop.restart("--wait")[0] == 0
    # The command's own is one of them.
    assert shop.status()["generation"] in (2, 3)


def test_a_deployment_swaps_a_link(shops, tmp_path):
    """Each release has its own folder, and its processes stay there."""
    shop = shops["linked"]
    one, two, link = (tmp_path / name for name in ("one", "two", "link"))
    shop.root.rename(one)
    shop.root.symlink_to(one)
    shop.answer()
    shutil.copytree(one, two)
    code = CODE.format(release="two", more="", health="200 OK")
    (two / "passenger_wsgi.py").unlink()
    (two / "passenger_wsgi.py").write_text(code)
    link.symlink_to(two)
    link.replace(shop.root)
    assert shop.answer()[0] == "one"
    shop.touch()
    (pid,) = serving(shop.wait_for("ready", 1))
    assert shop.answer() == ("two", pid)
    assert os.readlink(f"/proc/{pid}/cwd") == str(two)
    # The old one may go.
    shutil.rmtree(one)
    assert shop.restart("--wait")[0] == 0


def test_with_always_restart_a_request_gets_the_code_of_when_it_came(shops):
    """Requests that come together share a restart; then the file goes."""
    shop = shops["always"]
    always = shop.root / "tmp" / "always_restart.txt"
    shop.answer()
    always.touch()
    wait_until(lambda: shop.answer()[1] != shop.answer()[1], "restarts")
    seen = set()
    for release in ("two", "three", "four"):
        shop.release(release)
        found, pid = shop.answer()
        assert found == release
        seen.add(pid)
    assert len(seen) == 3
    before = shop.status()["generation"]
    with ThreadPoolExecutor(8) as clients:
        found = [clients.submit(shop.answer) for _ in range(8)]
        assert {one.result(30)[0] for one in found} == {"four"}
    assert shop.status()["generation"] <= before + 2
    always.unlink()
    wait_until(lambda: shop.answer() == shop.answer(), "no more restarts")


def test_apps_of_a_reload_are_watched(tmp_path):
    """A new one, and one whose folder for such files is another now."""
    moved, new = Shop(tmp_path, "moved"), Shop(tmp_path, "new")
    with serve(tmp_path, moved) as server:
        moved.server = new.server = server
        moved.answer()
        moved.keys["restart_dir"] = "run"
        configure(tmp_path, moved, new)
        assert commands.run(server, "reload").exit_code == 0
        new.answer()
        for shop, folder in ((moved, "run"), (new, "tmp")):
            (shop.root / folder).mkdir(exist_ok=True)
            (shop.root / folder / "restart.txt").touch()
            shop.wait_for("ready", 1)
            assert shop.has_logged(f"{folder}/restart.txt was touched")


# --- development ------------------------------------------------------------------


def test_in_development_a_saved_file_is_served(shops):
    """Code and templates; nothing else restarts it."""
    shop = shops["saved"]
    shop.answer()
    shop.write("db.sqlite3", "x")
    shop.release("two")
    assert set(serving(shop.wait_for("ready", 1)).values()) == {1}
    assert shop.answer()[0] == "two"
    assert shop.has_logged("passenger_wsgi.py changed")
    shop.write("page.html", "x")
    shop.wait_for("ready", 2)
    assert shop.has_logged("page.html changed")


def test_in_development_pages_show_why_new_code_does_not_start(shops):
    """With a status of 500; the old code is kept, and answers whoever is no page."""
    shop = shops["typo"]
    _, pid = shop.answer()
    shop.release("bad", BROKEN)
    shop.wait_for("degraded", 0)
    page = shop.get(headers=HTML)
    assert page.status == 500
    assert "no_such_module" in page.text
    assert shop.answer() == ("one", pid)
    shop.release("two")
    wait_until(lambda: shop.get(headers=HTML).status == 200, "the page")
    assert shop.answer(headers=HTML)[0] == "two"


def test_in_production_nothing_is_reloaded_and_no_page_is_an_error(shops):
    """Whoever deploys says when; and a failure is not the visitors'."""
    shop = shops["production"]
    _, pid = shop.answer()
    shop.release("bad", BROKEN)
    shop.restart("--wait")
    assert shop.answer(headers=HTML) == ("one", pid)
    assert not shop.has_logged("changed")
