"""Flask in its processes.

Runs in: framework spawners, app spawners and workers.  Standard library only;
Flask is imported inside the functions, from the app's own interpreter.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

PRELOADED = (
    "click",
    "itsdangerous",
    "jinja2",
    "jinja2.ext",
    "markupsafe",
    "werkzeug",
    "werkzeug.datastructures",
    "werkzeug.exceptions",
    "werkzeug.formparser",
    "werkzeug.middleware.proxy_fix",
    "werkzeug.routing",
    "werkzeug.security",
    "werkzeug.utils",
    "werkzeug.wrappers",
    "werkzeug.wsgi",
    "flask.json",
    "flask.json.provider",
    "flask.sessions",
    "flask.templating",
    "flask.views",
)

# A template costs a millisecond or so; more of them than this are left to the
# requests that want them.
MAX_TEMPLATES = 400


def preload(app: Any) -> None:
    """Import Flask and what it stands on.

    :raises ImportError: there is no Flask in this interpreter.
    """
    importlib.import_module("flask")
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - left out
            # What it lacks is said when the app itself imports it.
            continue


def load(app: Any) -> Any:
    """What the app's entry names: a Flask object, or one wrapped."""
    return app.load_entry()


def warm(app: Any, application: Any) -> None:
    """Build the URL map and the template environment, and compile templates.

    A template that can't be compiled is left for the request that wants it.
    """
    flask_app = _find_flask(application)
    if flask_app is None:
        return
    flask_app.url_map.update()
    environment = flask_app.jinja_env
    if environment.loader is None:
        return
    broken = importlib.import_module("jinja2").TemplateError
    try:
        names = environment.list_templates(
            filter_func=flask_app.select_jinja_autoescape
        )
    except TypeError:
        return  # a loader that can't list
    for name in names[:MAX_TEMPLATES]:
        try:
            environment.get_template(name)
        except (broken, OSError, UnicodeDecodeError):
            continue


def _find_flask(application: Any) -> Optional[Any]:
    """The Flask object, also beneath middleware that keeps it as ``app``."""
    flask = importlib.import_module("flask")
    for _ in range(10):
        if isinstance(application, flask.Flask):
            return application
        # `app.wsgi_app = ProxyFix(app.wsgi_app)`: a method of the Flask object.
        owner = getattr(application, "__self__", None)
        application = owner if owner is not None else getattr(application, "app", None)
    return None
