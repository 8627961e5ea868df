"""What the built-in frameworks take a folder for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from passtwist.api.detection import AppFiles, Detection
from passtwist.api.startup_files import packages
from passtwist.builtin.django.plugin import Django
from passtwist.builtin.django.plugin import (
    passtwist_spawn_environment as django_environment,
)
from passtwist.builtin.flask.plugin import Flask
from passtwist.builtin.flask.plugin import (
    passtwist_spawn_environment as flask_environment,
)
from passtwist.builtin.wsgi.plugin import Wsgi
from passtwist.builtin.wsgi.plugin import (
    passtwist_spawn_environment as wsgi_environment,
)
from passtwist.errors import DetectionError
from passtwist.model import AppSpec

FRAMEWORKS = (Django(), Flask(), Wsgi())

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_app"
SETTINGS = "import os\nINSTALLED_APPS = []\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n"


def detected(files: AppFiles) -> tuple[str, Detection] | None:
    """The first framework that takes it, as the server asks them."""
    for framework in FRAMEWORKS:
        found = framework.detect(files)
        if found is not None:
            return framework.name, found
    return None


@pytest.mark.parametrize(
    ("files", "name", "entry", "reasons"),
    [
        pytest.param(
            {"manage.py": MANAGE, "shop/settings.py": SETTINGS, "shop/wsgi.py": WSGI},
            "django",
            "shop.wsgi:application",
            (
                "manage.py names Django",
                "shop/settings.py is there",
                "shop/wsgi.py makes the application",
            ),
            id="django, as startproject makes it",
        ),
        pytest.param(
            {
                "manage.py": MANAGE,
                "cart/wsgi.py": WSGI,
                "cart/settings.py": SETTINGS,
                "shop/settings/__init__.py": "",
                "shop/wsgi.py": WSGI,
            },
            "django",
            "shop.wsgi:application",
            (
                "manage.py names Django",
                "shop/settings/__init__.py is there",
                "shop/wsgi.py makes the application",
            ),
            id="django, the package that manage.py names among several",
        ),
        pytest.param(
            {
                "manage.py": "import django",
                "aaa/settings.py": SETTINGS,
                "config/wsgi.py": WSGI,
                "config/settings/prod.py": SETTINGS,
            },
            "django",
            "config.wsgi:application",
            ("manage.py names Django", "config/wsgi.py makes the application"),
            id="django, the package with a wsgi.py before one without",
        ),
        pytest.param(
            {"manage.py": MANAGE, "shop/settings.py": SETTINGS},
            "django",
            "django.core.wsgi:get_wsgi_application()",
            (
                "manage.py names Django",
                "shop/settings.py is there",
                "there is no shop/wsgi.py, so Django makes the application",
            ),
            id="django without a wsgi.py",
        ),
        pytest.param(
            {"shop/settings.py": SETTINGS, "shop/wsgi.py": WSGI},
            "django",
            "shop.wsgi:application",
            ("shop/settings.py is there", "shop/wsgi.py makes the application"),
            id="django without a manage.py",
        ),
        pytest.param(
            {"manage.py": MANAGE, "settings.py": SETTINGS, "wsgi.py": WSGI},
            "django",
            "wsgi:application",
            (
                "manage.py names Django",
                "settings.py is there",
                "wsgi.py makes the application",
            ),
            id="django, flat in the root",
        ),
        pytest.param(
            {
                "manage.py": MANAGE,
                "shop/settings.py": SETTINGS,
                "shop/wsgi.py": WSGI,
                "passenger_wsgi.py": "from shop.wsgi import application",
            },
            "django",
            "passenger_wsgi:application",
            (
                "manage.py names Django",
                "passenger_wsgi.py is there, which says what to load",
            ),
            id="django that comes from Passenger",
        ),
        pytest.param(
            {"app.py": FLASK},
            "flask",
            "app:app",
            ("app.py calls Flask()", "app.py defines app"),
            id="flask, one file",
        ),
        pytest.param(
            {"application.py": FLASK.replace("app =", "application =")},
            "flask",
            "application:application",
            ("application.py calls Flask()", "application.py defines application"),
            id="flask, an application of the other name",
        ),
        pytest.param(
            {"app.py": FACTORY},
            "flask",
            "app:create_app()",
            ("app.py calls Flask()", "app.py defines create_app()"),
            id="flask, a factory; what it calls app is local to it",
        ),
        pytest.param(
            {"shop/__init__.py": FACTORY, "tests/__init__.py": ""},
            "flask",
            "shop:create_app()",
            ("shop/__init__.py calls Flask()", "shop/__init__.py defines create_app()"),
            id="flask, a factory in a package",
        ),
        pytest.param(
            {"shop/__init__.py": "", "shop/app.py": FLASK},
            "flask",
            "shop.app:app",
            ("shop/app.py calls Flask()", "shop/app.py defines app"),
            id="flask, a module in a package",
        ),
        pytest.param(
            {
                "wsgi.py": "from shop import create_app\napp = create_app()\n",
                "shop/__init__.py": FACTORY,
            },
            "flask",
            "wsgi:app",
            ("shop/__init__.py calls Flask()", "wsgi.py defines app"),
            id="flask, a wsgi.py that calls the factory of a package",
        ),
        pytest.param(
            {"app.py": FLASK, "wsgi.py": "from app import app as application"},
            "flask",
            "wsgi:application",
            ("app.py calls Flask()", "wsgi.py defines application"),
            id="flask, a wsgi.py that imports the application",
        ),
        pytest.param(
            {
                "app.py": FLASK,
                "passenger_wsgi.py": "from app import app as application",
            },
            "flask",
            "passenger_wsgi:application",
            (
                "app.py calls Flask()",
                "passenger_wsgi.py is there, which says what to load",
            ),
            id="flask that comes from Passenger",
        ),
        pytest.param(
            {"passenger_wsgi.py": "", "wsgi.py": "\napplication = 1"},
            "wsgi",
            "passenger_wsgi:application",
            ("passenger_wsgi.py is there, which says what to load",),
            id="wsgi that comes from Passenger",
        ),
        pytest.param(
            {"wsgi.py": "import x\ndef application(environ, start_response):\n  pass"},
            "wsgi",
            "wsgi:application",
            ("wsgi.py defines application",),
            id="wsgi, a function",
        ),
        pytest.param(
            {"main.py": "import bottle\r\napp = bottle.default_app()\r\n"},
            "wsgi",
            "main:app",
            ("main.py defines app",),
            id="wsgi, another framework, lines as on Windows",
        ),
        pytest.param(
            {"app.py": "import x\ndef make_app():\n  return 1"},
            "wsgi",
            "app:make_app()",
            ("app.py defines make_app()",),
            id="wsgi, a factory",
        ),
    ],
)
def test_a_folder_is_recognised(site, files, name, entry, reasons):
    """By names of files and words in them; the reasons say by which."""
    framework, found = detected(site(files))
    assert (framework, found.entry, found.reasons) == (name, entry, reasons)
    assert found.startup_file in files


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "Flask(", "setup.py": "import django"},
        {"manage.py": "print('my own')"},
        {"main.py": "print('an app')\n"},
        {"app.py": "def main():\n    app = 1\n"},
        {"shop/settings.py": SETTINGS},
        {"shop/wsgi.py": WSGI},
        {"not-a-name/settings.py": SETTINGS, "not-a-name/wsgi.py": WSGI},
        {"a\nb/settings.py": SETTINGS, "a\nb/wsgi.py": WSGI},
    ],
)
def test_a_folder_is_not_recognised(site, files):
    """None: no framework takes it for its own."""
    assert detected(site(files)) is None


def test_django_without_a_project_is_broken(site):
    """It is Django's, but what to load is nowhere to be seen."""
    with pytest.raises(DetectionError) as caught:
        Django().detect(site({"manage.py": MANAGE, "docs/index.md": ""}))
    assert str(caught.value) == (
        "manage.py names Django, but no folder beside it holds a wsgi.py or "
        'settings.py; set entry, for example to "shop.wsgi:application"'
    )


MARKER = "open(__file__ + '.ran', 'w').close()\n"


def test_nothing_is_run(site, tmp_path):
    """Each file would leave a mark if it were imported or executed."""
    names = ("manage.py", "shop/wsgi.py", "shop/settings.py", "app.py", "conftest.py")
    text = MARKER + MANAGE + SETTINGS + WSGI + FLASK
    site(dict.fromkeys((*names, "passenger_wsgi.py", "sitecustomize.py"), text))
    before = sorted(tmp_path.rglob("*"))
    for framework in FRAMEWORKS:
        assert framework.detect(AppFiles(str(tmp_path))) is not None
    assert sorted(tmp_path.rglob("*")) == before
    # The mark does work.
    (tmp_path / "control.py").write_text(MARKER)
    subprocess.run([sys.executable, tmp_path / "control.py"], check=True, timeout=60)
    assert (tmp_path / "control.py.ran").exists()


def test_links_are_not_followed(site, tmp_path):
    """A link could lead to a file that only the server may read."""
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    site(
        {
            "outside/manage.py": MANAGE,
            "outside/shop/wsgi.py": WSGI,
            "outside/shop/settings.py": SETTINGS,
            "outside/app.py": FLASK,
            "outside/passenger_wsgi.py": "",
        }
    )
    inside.mkdir()
    for name in ("manage.py", "app.py", "shop", "passenger_wsgi.py"):
        (inside / name).symlink_to(outside / name)
    assert detected(AppFiles(str(outside))) is not None
    assert detected(AppFiles(str(inside))) is None


def test_the_root_itself_may_be_a_link(site, tmp_path):
    """Deployments swap one."""
    site({"release/app.py": FLASK})
    (tmp_path / "current").symlink_to(tmp_path / "release")
    assert detected(AppFiles(str(tmp_path / "current")))[1].entry == "app:app"


@pytest.mark.parametrize(
    "name", ["manage.py", "app.py", "wsgi.py", "passenger_wsgi.py"]
)
def test_a_fifo_in_place_of_a_file_does_not_hang(tmp_path, name):
    """Opening it would wait for a writer for ever."""
    os.mkfifo(tmp_path / name)
    assert detected(AppFiles(str(tmp_path))) is None


def test_only_the_beginning_of_a_huge_file_is_read(tmp_path):
    """A sparse file of a terabyte costs no more than one of 64 KiB."""
    with open(tmp_path / "app.py", "wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(FLASK.encode())
    assert detected(AppFiles(str(tmp_path))) is None
    with open(tmp_path / "app.py", "r+b") as file:
        file.write(FLASK.encode())
    assert detected(AppFiles(str(tmp_path)))[1].entry == "app:app"


AS_ANOTHER_USER = """
import os
from passtwist.api.detection import AppFiles

if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
files = AppFiles(".")
print(files.contains("open.py", "Flask("), files.contains("closed.py", "Flask("))
print(files.names("open"), files.names("closed"), files.contains("bin.py", "x"))
"""


def test_what_can_not_be_read_is_not_there(site, tmp_path):
    """Nothing is raised; root could read it all, so another user looks."""
    site({"open.py": FLASK, "closed.py": FLASK, "open/a": "", "closed/a": ""})
    (tmp_path / "bin.py").write_bytes(b"\xff\xfe\0")
    tmp_path.chmod(0o755)
    for name in ("closed.py", "closed"):
        (tmp_path / name).chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (tmp_path / "closed").chmod(0o755)
    assert (done.stdout, done.stderr) == ("True False\n('a',) () False\n", "")


def test_names_that_can_not_be_imported_are_left_out(site):
    """They would end up in entries, logs and messages."""
    files = site(
        {
            "good/x": "",
            "also_good/x": "",
            "a\nb/x": "",
            "a-b/x": "",
            "\x1b[31m/x": "",
            "ünï/x": "",
            "file": "",
        }
    )
    assert packages(files) == ("also_good", "good")


def test_only_so_many_packages_are_looked_into(tmp_path):
    """A folder of ten thousand folders must not stop the server."""
    for number in range(300):
        (tmp_path / f"p{number:03}").mkdir()
    assert len(packages(AppFiles(str(tmp_path)))) == 200


@pytest.mark.parametrize(
    ("app", "variables"),
    [
        (
            AppSpec("x", "/x", framework="django", options={"settings": "x.settings"}),
            {"DJANGO_SETTINGS_MODULE": "x.settings"},
        ),
        (AppSpec("x", "/x", framework="django"), {}),
        (
            AppSpec("x", "/x", framework="flask", environment="development"),
            {"FLASK_DEBUG": "1"},
        ),
        (AppSpec("x", "/x", framework="flask"), {"FLASK_DEBUG": "0"}),
        (AppSpec("x", "/x", framework="wsgi"), {}),
    ],
)
def test_the_environment_of_an_app(app, variables):
    """Django's settings where no wsgi.py chooses them; Flask's debugging."""
    answers = [hook(app) or {} for hook in (django_environment, flask_environment)]
    assert answers[0] | answers[1] == variables
    assert wsgi_environment(app) == {
        "WSGI_ENV": app.environment,
        "PASSENGER_APP_ENV": app.environment,
    }


@pytest.mark.parametrize("first", ["def application(environ, s):", "app = make()"])
def test_an_application_may_stand_in_the_first_line(tmp_path, first):
    """Nothing comes before it, not even a line feed."""
    (tmp_path / "wsgi.py").write_text(first + "\n    return []\n")
    name, found = detected(AppFiles(str(tmp_path)))
    assert (name, found.startup_file) == ("wsgi", "wsgi.py")
