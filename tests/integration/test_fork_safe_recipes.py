"""The recipes of the how-to, each as an app that is forked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from passtwist.lifecycle import EVENTS
from tests.integration.sites import Site, serve

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "make-an-app-fork-safe.md"
# What the app of each recipe answers, and what that shows.
VIEWS = {
    "SQLAlchemy": """
    with engine.begin() as connection:
        connection.execute(text("insert into visit values ('now')"))
        count = connection.scalar(text("select count(*) from visit"))
    return "%d visits" % count
""",
    "A background thread": """
    import time
    jobs.put("hello")
    while not done:
        time.sleep(0.01)
    return "%s by %s" % (done.pop(), thread.name)
""",
    "A logging queue": """
    logging.getLogger().warning("asked")
    return "logged"
""",
}
ANSWERS = {
    "SQLAlchemy": "1 visits",
    "A background thread": "HELLO by jobs",
    "A logging queue": "logged",
}
APP = """
%s
import logging
logging.getLogger().warning("imported")

def view():
%s

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [view().encode()]
"""


def recipe(title):
    """The code below a heading."""
    part = PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", part, re.DOTALL)[0]


@pytest.mark.parametrize("method", ["smart-lv2", "conservative"])
@pytest.mark.parametrize("title", VIEWS)
def test_a_recipe_makes_an_app_that_can_be_forked(tmp_path, title, method):
    """The audit finds nothing, and the worker does what the recipe is for."""
    site = Site(tmp_path, spawn_method=method)
    site.write("passenger_wsgi.py", APP % (recipe(title), VIEWS[title]))
    with serve(tmp_path, site) as server:
        assert server.get("/").text == ANSWERS[title]
        (worker,) = server.workers("probe")
        assert worker["spawn_method"] == method
        assert server.app("probe")["last_spawn_error"] is None
        if title == "A logging queue":
            log = server.wait_for_log("output: asked")
            assert (log.count("output: imported"), log.count("output: asked")) == (1, 1)
        server.stop()
        assert "worker_stopping and atexit took over" not in server.log()


def test_every_recipe_acts_at_an_event():
    """And those that need nothing but what tests have are tried above."""
    page = PAGE.read_text()
    recipes = re.findall(r"^## (.*)$", page, re.MULTILINE)[1:-1]
    assert set(VIEWS) < set(recipes)
    events = {title: re.findall(r'on\("(\w+)"\)', recipe(title)) for title in recipes}
    assert all(set(found) and set(found) <= set(EVENTS) for found in events.values())
