"""What apps are told when they can't be loaded."""

from __future__ import annotations

import importlib
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from passtwist.model import APP
from passtwist.spawnserver import scene
from passtwist.spawnserver.advice import advise
from tests.spawnserver.driver import make_app

CODE = "/run/passtwist/code"  # where nothing of these tests is


@pytest.fixture
def raised(tmp_path, monkeypatch):
    """Run files as an app of the folder would be; answers what was raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(source, **files):
        for name, text in {"app_under_test": source, **files}.items():
            (tmp_path / f"{name}.py").write_text(text)
        try:
            importlib.import_module("app_under_test")
        except BaseException as error:  # noqa: BLE001 - what the test is about
            return error
        raise AssertionError("nothing was raised")

    yield run
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]


def test_a_missing_module_is_named_as_it_is_installed(raised):
    """By the name of its distribution, with the interpreter that looked for it."""
    assert advise(raised("import corsheaders.nothing"), CODE) == (
        f"The app's interpreter is {sys.executable}; "
        f"is django-cors-headers installed in {sys.prefix}?"
    )


def test_a_virtualenv_that_is_not_used_is_pointed_out(raised, tmp_path):
    """Only .venv and venv are looked for by themselves."""
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "env" / "bin" / "python").touch()
    assert advise(raised("import no_such_module"), CODE).endswith(
        f'There is a virtualenv that is not used:  python = "{tmp_path}/env/bin/python"'
    )


def test_a_module_in_a_folder_below_is_pointed_out(raised, tmp_path):
    """As projects with src/ have it."""
    (tmp_path / "src" / "shop_of_mine").mkdir(parents=True)
    assert advise(raised("import shop_of_mine.views"), CODE).endswith(
        f'It lies in {tmp_path}/src:  env = {{ PYTHONPATH = "{tmp_path}/src" }}'
    )


def test_a_module_that_hides_a_package_is_named(raised, tmp_path):
    """shop_hidden.py instead of shop_hidden/."""
    error = raised("import shop_hidden.views", shop_hidden="")
    assert advise(error, CODE) == (
        f"shop_hidden is {tmp_path}/shop_hidden.py, which is no package: it hides "
        "another module of that name."
    )


def test_modules_that_import_each_other_are_named(raised, tmp_path):
    """The one that was not ready yet."""
    error = raised(
        "import shop_one",
        shop_one="from shop_two import b\na = 1",
        shop_two="from shop_one import a\nb = 1",
    )
    assert advise(error, CODE) == (
        f"Modules of the app import each other; {tmp_path}/shop_one.py is one of them."
    )


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("print 'hello'\n", "line 1 is written for Python 2; the app runs under"),
        ("if 1:\n    a = 1\n\tb = 2\n", "line 3: tabs and spaces are mixed"),
        ("if 1:\npass\n", "line 2: look at its indentation"),
        ("a = 1\ndef go(:\n", "line 2, or the line before it."),
    ],
    ids=["python2", "tabs", "indentation", "other"],
)
def test_a_syntax_error_is_located(raised, tmp_path, source, advice):
    """File and line, and what is likely."""
    assert advise(raised(source), CODE).startswith(
        f"{tmp_path}/app_under_test.py, {advice}"
    )


@pytest.mark.interpreter("3.9")
def test_syntax_of_a_later_python_is_named(driver, tmp_path, interpreters):
    """With the version that has it, and the one that the app runs under."""
    source = "match 1:\n    case 1:\n        pass\n"
    app = make_app(tmp_path / "shop", source, python=interpreters[3, 9])
    failure = driver.spawn(app, ("app",)).wait().failure
    assert failure.advice == (
        f"{tmp_path}/shop/site_app.py, line 1: `match` is for Python 3.10 and newer; "
        "the app runs under Python 3.9."
    )


def test_a_variable_that_is_not_set_is_named(raised):
    """With the line of settings that sets it."""
    error = raised("import os\nos.environ['SHOP_DATABASE']\n")
    assert advise(error, CODE) == (
        "The environment variable SHOP_DATABASE is not set.  Set it for the app:  "
        'env = { SHOP_DATABASE = "..." }'
    )
    assert advise(raised("{}['SHOP_DATABASE']\n"), CODE) == ""


def test_settings_that_django_misses_are_named(raised, monkeypatch):
    """Whether their module is not named, or lacks something."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    error = raised("from django.conf import settings\nsettings.DEBUG\n")
    assert "DJANGO_SETTINGS_MODULE is not set." in advise(error, CODE)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    assert advise(error, CODE) == (
        "Are the app's settings complete, and its environment variables set?  "
        "DJANGO_SETTINGS_MODULE is shop.settings."
    )


def test_a_port_in_use_is_that_of_the_apps_own_server(raised, tmp_path):
    """It needs none, so its call is shown."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        source = f"import socket\nsocket.create_server(('127.0.0.1', {port}))\n"
        error = raised(source)
    assert advise(error, CODE) == (
        "The app opens a port by itself while it is loaded.  Its address is in use, "
        "by another copy of it perhaps.  It needs none here: a call like app.run() "
        'belongs behind  if __name__ == "__main__".'
        f"  See {tmp_path}/app_under_test.py, line 2."
    )


def test_a_development_server_that_gives_up_is_recognised(raised, tmp_path):
    """Werkzeug prints why, and exits."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        source = (
            f"from flask import Flask\napp = Flask(__name__)\napp.run(port={port})\n"
        )
        error = raised(source)
    assert isinstance(error, SystemExit)
    assert advise(error, CODE).endswith(f"See {tmp_path}/app_under_test.py, line 3.")
    assert "__main__" in advise(error, CODE)


def test_exit_without_a_server_is_a_script(raised):
    assert advise(raised("raise SystemExit(3)"), CODE).startswith(
        "The app asked to exit while it was loaded."
    )


def test_the_scene_of_a_failure_is_told_under_each_interpreter(
    driver, tmp_path, python
):
    """The place in the app's code, sys.path, the environment without secrets."""
    source = (
        "import json\n\nAPI_KEY = 'hidden'\n\n\ndef load():\n"
        "    return json.loads('x')\n\n\napp = load()\n"
    )
    env = (("SHOP_TOKEN", "do-not-tell"), ("SHOP_COLOUR", "blue do-not-tell"))
    app = make_app(tmp_path / "shop", source, python=python, env=env)
    spawn = driver.spawn(app, ("app",)).wait()
    found = spawn.failure.scene
    own = f"{tmp_path}/shop/site_app.py"
    assert spawn.failure.who == APP
    assert (found.folder, found.user) == (str(tmp_path / "shop"), f"uid {os.geteuid()}")
    assert re.fullmatch(r"3\.[0-9]+\.[0-9]+", found.version)
    assert Path(found.python).resolve() == Path(python).resolve()
    assert found.path[0] == str(tmp_path / "shop")
    assert {"SHOP_TOKEN=********", "SHOP_COLOUR=blue ********"} <= set(found.environ)
    assert (found.place, found.own_files) == (f"{own}:7", (own,))
    assert found.excerpt == (
        "   3  API_KEY = '********'\n   4  \n   5  \n   6  def load():\n"
        ">  7      return json.loads('x')\n   8  \n   9  \n  10  app = load()"
    )


def test_the_scene_of_an_error_without_code_of_the_app_has_no_place():
    """There is nothing to show."""
    found = scene.of_error(ValueError("made up"), CODE)
    assert (found.place, found.excerpt, found.own_files) == ("", "", ())
