"""The child halves of the built-in frameworks, in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import passtwist
from passtwist.model import APP, WORKER, AppSpec
from tests.spawnserver.driver import Driver, subreaper

BUILTIN = Path(passtwist.__file__).parent / "builtin"
BOTH = ("framework", "app")
ROUTES = [(), ("app",), BOTH]

# Written out here and not taken from the examples: what each line is for shows.
SETTINGS = """
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.messages", "django.contrib.sessions",
]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": "%s/shop.db",
}}
LANGUAGE_CODE = "de"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("s/", include("shop.more"))]
"""
MORE = """
import sys
from django.db import connection
from django.http import JsonResponse
from django.urls import path

loaded_in_request = []

def look(request):
    before = set(sys.modules)
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        (one,) = cursor.fetchone()
    return JsonResponse({"one": one, "new": sorted(set(sys.modules) - before)})

urlpatterns = [path("look", look)]
"""
WSGI = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


@pytest.fixture
def driver(tmp_path):
    """With the child halves as the controller copies them."""
    names = ("django", "flask", "wsgi")
    children = {f"{name}.py": str(BUILTIN / name / "child.py") for name in names}
    with subreaper():
        driver = Driver(tmp_path, children)
        yield driver
        driver.close()


@pytest.fixture
def shop(tmp_path):
    """A Django project."""
    root = tmp_path / "shop_site"
    (root / "shop").mkdir(parents=True)
    for name, text in {
        "settings": SETTINGS % root,
        "urls": URLS,
        "more": MORE,
        "wsgi": WSGI,
        "__init__": "",
    }.items():
        (root / "shop" / f"{name}.py").write_text(text)
    return AppSpec(
        name="shop",
        root=str(root),
        framework="django",
        child="django.py",
        entry="shop.wsgi:application",
        python=sys.executable,
        framework_key=("django",),
    )


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_django_project_is_loaded_warmed_forked_and_asked(driver, shop, route):
    """With a database that is only opened in the worker; the audit is clean."""
    spawn = driver.spawn(shop, route)
    spawn.ready()
    assert spawn.steps("failed") == []
    who = APP if route else WORKER
    assert f"{who}: warm_up" in spawn.steps()
    body = spawn.connect().get("/s/look", HTTP_HOST="x", SERVER_PORT="80")
    assert body == '{"one": 1, "new": []}'


def test_djangos_admin_answers_from_a_smart_worker(driver, shop):
    """In the project's language; the response is one read."""
    spawn = driver.spawn(shop, BOTH)
    spawn.ready()
    session = spawn.connect()
    session.ask("/admin/login/", HTTP_HOST="x", SERVER_PORT="80")
    answer = session.answer()
    assert answer.head.startswith(b"200 OK\r\n")
    assert "Anmelden" in answer.body.decode()


# Everything of a project's that a page, a form, a request or a query could call.
WATCH = """
import sys
from django.core import signals
from django.db.backends.signals import connection_created
from django.forms.renderers import DjangoTemplates

seen = []

def noting(what):
    def note(*args, **kwargs):
        seen.append(what)
        return {}
    return note

def middleware(get_response):
    def answer(request):
        modules = set(sys.modules)
        request.seen = list(seen)
        response = get_response(request)
        response["X-New"] = " ".join(sorted(set(sys.modules) - modules))
        return response
    return answer

context = noting("context processor")
started, finished = noting("request_started"), noting("request_finished")
connected = noting("connection_created")
signals.request_started.connect(started)
signals.request_finished.connect(finished)
connection_created.connect(connected)

def look(request):
    from django.http import JsonResponse
    return JsonResponse(request.seen, safe=False)
"""


# Where Django says what goes wrong, and what it leaves behind.
LOGGED = """
import logging
from django.utils.translation import trans_real

class Noting(logging.Handler):
    def emit(self, record):
        seen.append(record.getMessage())

logging.getLogger("django").addHandler(Noting())
logging.getLogger("django").setLevel("DEBUG")
asked = "django.contrib.messages.storage.cookie"

def told(request):
    from django.http import JsonResponse
    return JsonResponse(state)

from passtwist.lifecycle import on

state = {}

@on("before_fork")
def look_around():
    state.update(
        seen=list(seen),
        asked=asked in sys.modules,
        language=getattr(trans_real._active, "value", None),
    )
"""

TAGS = """
from django import template

register = template.Library()
times = []

@register.simple_tag
def used():
    times.append(1)
    return f"used {len(times)} times"
"""


def test_warming_django_calls_nothing_of_the_project_and_leaves_it_nothing_to_import(
    driver, shop
):
    """No middleware, context processor, signal or connection; then a first request."""
    folder = Path(shop.root, "shop")
    with (folder / "settings.py").open("a") as file:
        file.write('MIDDLEWARE.insert(0, "shop.watch.middleware")\n')
        file.write('processors = TEMPLATES[0]["OPTIONS"]["context_processors"]\n')
        file.write('processors.append("shop.watch.context")\n')
    (folder / "watch.py").write_text(WATCH)
    (folder / "more.py").write_text(
        "from django.urls import path\n"
        "from shop import watch\n"
        'urlpatterns = [path("seen", watch.look)]\n'
    )
    spawn = driver.spawn(shop, BOTH)
    spawn.ready()
    session = spawn.connect()
    asked = {"HTTP_HOST": "x", "SERVER_PORT": "80"}
    assert json.loads(session.get("/s/seen", **asked)) == ["request_started"]
    session.ask("/admin/login/", 2, **asked)
    answer = session.answer()
    assert answer.head.startswith(b"200 OK\r\n")
    assert b"X-New: \r\n" in answer.head


def test_warming_django_asks_its_own_pages_and_nobody_hears_of_it(driver, shop):
    """No signal, log, connection or language; what a first request imports is there."""
    folder = Path(shop.root, "shop")
    with (folder / "settings.py").open("a") as file:
        file.write(
            'MIDDLEWARE.insert(0, "django.middleware.locale.LocaleMiddleware")\n'
        )
    with (folder / "wsgi.py").open("a") as file:
        file.write("from shop import watch\n")
    (folder / "watch.py").write_text(WATCH + LOGGED)
    (folder / "more.py").write_text(
        "from django.urls import path\n"
        "from shop import watch\n"
        'urlpatterns = [path("told", watch.told)]\n'
    )
    spawn = driver.spawn(shop, ("app",))
    spawn.ready()
    told = spawn.connect().get("/s/told", HTTP_HOST="x", SERVER_PORT="80")
    assert json.loads(told) == {"seen": [], "asked": True, "language": None}


def test_warming_django_leaves_out_the_pages_of_projects(driver, shop):
    """A login page with a project's template is not asked for."""
    folder = Path(shop.root, "shop")
    with (folder / "settings.py").open("a") as file:
        file.write(f'TEMPLATES[0]["DIRS"] = [{str(folder)!r}]\n')
        file.write('TEMPLATES[0]["OPTIONS"]["builtins"] = ["shop.tags"]\n')
    (folder / "tags.py").write_text(TAGS)
    (folder / "admin").mkdir()
    (folder / "admin" / "base_site.html").write_text(
        '{% extends "admin/base.html" %}{% block footer %}{% used %}{% endblock %}'
    )
    spawn = driver.spawn(shop, ("app",))
    spawn.ready()
    session = spawn.connect()
    for count in (1, 2):
        session.ask("/admin/login/", count, HTTP_HOST="x", SERVER_PORT="80")
        assert f"used {count} times" in session.answer().body.decode()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("AUTHENTICATION_BACKENDS", ["nowhere.Backend"]),
        ("FORM_RENDERER", "nowhere.Renderer"),
    ],
)
def test_what_warming_django_can_not_do_is_left_to_the_requests(
    driver, shop, setting, value
):
    """Those that do not want it are answered."""
    with Path(shop.root, "shop", "settings.py").open("a") as file:
        file.write(f"{setting} = {value!r}\n")
    spawn = driver.spawn(shop, ("app",))
    spawn.ready()
    body = spawn.connect().get("/s/look", HTTP_HOST="x", SERVER_PORT="80")
    assert json.loads(body)["one"] == 1


PRELOAD = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("child", sys.argv[1])
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
child.preload(None)
from django.apps import apps
from django.conf import settings
missing = [name for name in child.PRELOADED if name not in sys.modules]
print(json.dumps([missing, settings.configured, apps.ready]))
"""


def test_preloading_django_leaves_nothing_out_and_touches_no_settings():
    """The list of modules holds for the Django that is installed here."""
    child = str(BUILTIN / "django" / "child.py")
    shown = subprocess.run(
        [sys.executable, "-c", PRELOAD, child],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert json.loads(shown.stdout) == [[], False, False]


def test_a_django_project_without_settings_says_what_to_set(driver, shop):
    """The commonest mistake."""
    Path(shop.root, "shop", "wsgi.py").write_text(
        "from django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n"
    )
    spawn = driver.spawn(shop, BOTH)
    spawn.wait()
    assert "ImproperlyConfigured" in spawn.failure.summary
    assert spawn.failure.advice == (
        "DJANGO_SETTINGS_MODULE is not set.  Let the app's wsgi.py set it, as "
        "startproject writes it, or set it for the app:  "
        'env = { DJANGO_SETTINGS_MODULE = "mysite.settings" }'
    )


FLASK_APP = """
from flask import Flask, render_template
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)

@app.route("/")
def home():
    return render_template("home.html", word="hello")

@app.route("/cached")
def cached():
    return ",".join(sorted(name for _, name in app.jinja_env.cache))

app.wsgi_app = ProxyFix(app.wsgi_app)
wrapped = ProxyFix(app)
"""


@pytest.mark.parametrize("entry", ["site_app:app", "site_app:wrapped"])
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_flask_app_has_its_templates_compiled_before_the_first_request(
    driver, tmp_path, route, entry
):
    """All but the broken one, which waits for who asks for it."""
    root = tmp_path / "flask_site"
    (root / "templates").mkdir(parents=True)
    (root / "templates" / "home.html").write_text("<p>{{ word }}</p>")
    (root / "templates" / "broken.html").write_text("{% if %}")
    (root / "site_app.py").write_text(FLASK_APP)
    app = AppSpec(
        name="flask_site",
        root=str(root),
        framework="flask",
        child="flask.py",
        entry=entry,
        python=sys.executable,
        framework_key=("flask",),
    )
    spawn = driver.spawn(app, route)
    spawn.ready()
    session = spawn.connect()
    pairs = {"SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    assert session.get("/cached", **pairs) == "home.html"
    assert session.get("/", **pairs) == "<p>hello</p>"
