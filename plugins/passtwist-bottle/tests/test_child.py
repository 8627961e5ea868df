"""What the child half makes of a module, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import passtwist_bottle
import pytest

CHILD = Path(passtwist_bottle.__file__).with_name("child.py")

# An app as a child half sees it, for scripts that import the child half.
SCRIPT = """
import importlib, importlib.util, json, sys
sys.path.insert(0, ".")

class App:
    environment, entry, options = sys.argv[2], sys.argv[3], json.loads(sys.argv[4])

    def load_entry(self):
        module, _, name = self.entry.partition(":")
        found = getattr(importlib.import_module(module), name.removesuffix("()"))
        return found() if name.endswith("()") else found

spec = importlib.util.spec_from_file_location("child", sys.argv[1])
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
app = App()
child.preload(app)
application = child.load(app)
child.warm(app, application)
import bottle
print(json.dumps({
    "is default": application is bottle.default_app(),
    "type": type(application).__name__,
    "debug": bottle.DEBUG,
    "prepared": ["call" in vars(route) for route in getattr(application, "routes", [])],
}))
"""

ROUTE = "import bottle\n@bottle.route('/')\ndef index():\n    return 'x'\n"


@pytest.fixture
def load(tmp_path):
    """Load a module ``site_code``; answer what the script says of it."""

    def load(code, entry, environment="production", **options):
        (tmp_path / "site_code.py").write_text(code)
        given = [str(CHILD), environment, entry, json.dumps(options)]
        shown = subprocess.run(
            [sys.executable, "-c", SCRIPT, *given],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return json.loads(shown.stdout)

    return load


def test_the_default_application_has_the_routes_of_the_module(load):
    """It is imported before Bottle is asked; all its routes are ready."""
    assert load(ROUTE, "bottle:default_app()", module="site_code") == {
        "is default": True,
        "type": "Bottle",
        "debug": False,
        "prepared": [True],
    }


def test_the_stack_of_applications_stands_for_the_one_on_top(load):
    """`from bottle import app` is what a module calls app then."""
    found = load(ROUTE + "from bottle import app\n", "site_code:app")
    assert (found["is default"], found["type"]) == (True, "Bottle")


def test_run_does_nothing(load):
    """Else a development server would start within the spawner, for ever."""
    found = load(
        ROUTE + "bottle.run(port=1)\n", "bottle:default_app()", module="site_code"
    )
    assert found["prepared"] == [True]


def test_debug_mode_is_that_of_the_environment(load):
    """On in development, off in production whatever the module thinks."""
    found = load(ROUTE, "bottle:default_app()", "development", module="site_code")
    assert found["debug"] is True


def test_a_wrapped_application_is_left_as_it_is(load):
    """Middleware hides the routes; they get ready with their first request."""
    code = (
        ROUTE
        + "def app(environ, start):\n    return bottle.default_app()(environ, start)\n"
    )
    found = load(code, "site_code:app")
    assert (found["type"], found["prepared"]) == ("function", [])
