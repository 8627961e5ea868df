"""The smallest app of each framework that passtwist brings along.

Runs in: tests.  Conformance suites serve them, and show them to frameworks
that must not take them for theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Sample = Callable[[Path, str], None]

_WSGI = """
GREETING = {greeting!r}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [GREETING.encode()]
"""

_FLASK = """
from flask import Flask

app = Flask(__name__)


@app.route("/")
def greet():
    return {greeting!r}
"""

_DJANGO_MANAGE = """
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""

_DJANGO_SETTINGS = """
SECRET_KEY = "a sample has none"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = []
MIDDLEWARE = []
ROOT_URLCONF = "sample.urls"
"""

_DJANGO_URLS = """
from django.http import HttpResponse
from django.urls import path

GREETING = {greeting!r}
urlpatterns = [path("", lambda request: HttpResponse(GREETING))]
"""

_DJANGO_WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample.settings")
application = get_wsgi_application()
"""


def write_wsgi(folder: Path, greeting: str) -> None:
    """Plain WSGI with Passenger's startup file."""
    (folder / "passenger_wsgi.py").write_text(_WSGI.format(greeting=greeting))


def write_flask(folder: Path, greeting: str) -> None:
    """Flask in one module."""
    (folder / "app.py").write_text(_FLASK.format(greeting=greeting))


def write_django(folder: Path, greeting: str) -> None:
    """A Django project as ``startproject`` lays it out."""
    (folder / "manage.py").write_text(_DJANGO_MANAGE)
    package = folder / "sample"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "settings.py").write_text(_DJANGO_SETTINGS)
    (package / "urls.py").write_text(_DJANGO_URLS.format(greeting=greeting))
    (package / "wsgi.py").write_text(_DJANGO_WSGI)


# By the name of the framework; each takes a folder and what to answer at "/".
SAMPLES: dict[str, Sample] = {
    "django": write_django,
    "flask": write_flask,
    "wsgi": write_wsgi,
}
