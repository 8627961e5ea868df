"""Which folders are Bottle's, and what is loaded of them."""

from __future__ import annotations

import pytest
from passtwist_bottle.plugin import Bottle

from passtwist.api.detection import AppFiles, Detection

IMPORTS = "app.py imports bottle"
DEFAULT = "it names no application, so Bottle's default one"


@pytest.fixture
def detect(tmp_path):
    """Write files; answer what is detected."""

    def detect(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return Bottle().detect(AppFiles(str(tmp_path)))

    return detect


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("import bottle\napp = bottle.Bottle()\n", "app:app"),
        ("from bottle import Bottle\napplication = Bottle()\n", "app:application"),
        ("from bottle import Bottle\ndef make_app():\n ...\n", "app:make_app()"),
        ("from bottle import app\n", "app:app"),
    ],
)
def test_a_name_is_found_in_the_module_that_imports_bottle(detect, text, entry):
    """An application, a factory, and the stack that Bottle itself calls app."""
    name = entry.partition(":")[2]
    reasons = (IMPORTS, f"app.py defines {name}")
    assert detect(app=text) == Detection(entry, "app.py", reasons)


def test_routes_alone_are_those_of_the_default_application(detect):
    """The module is loaded first, as it adds the routes."""
    assert detect(app="import bottle\n@bottle.route('/')\ndef f(): ...\n") == Detection(
        "bottle:default_app()", "app.py", (IMPORTS, DEFAULT), {"module": "app"}
    )


def test_a_name_in_a_later_file_goes_before_routes_alone(detect):
    """wsgi.py may only hold what both need."""
    found = detect(wsgi="import bottle\n", app="import bottle\napp = bottle.Bottle()\n")
    assert (found.entry, found.startup_file) == ("app:app", "app.py")


def test_passengers_startup_file_says_what_to_load(detect):
    """Whoever has one has said it; the framework is still Bottle."""
    found = detect(app="import bottle\n", passenger_wsgi="application = 1\n")
    assert found == Detection(
        "passenger_wsgi:application",
        "passenger_wsgi.py",
        (IMPORTS, "passenger_wsgi.py is there, which says what to load"),
    )


def test_bottle_in_the_folder_is_no_app(detect):
    """Some keep bottle.py beside their code; that alone is nothing to serve."""
    assert detect(bottle="app = default_app = AppStack()\n") is None
