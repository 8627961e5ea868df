"""What can be done about a module that can't be imported.

Runs in: every process of the spawn server, and workers until they serve.
"""

from __future__ import annotations

import os
import sys
from typing import FrozenSet, List

from passtwist.spawnserver import scene

# Modules whose distribution has another name, of those that apps often need.
DISTRIBUTIONS = {
    "MySQLdb": "mysqlclient",
    "PIL": "Pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "corsheaders": "django-cors-headers",
    "crispy_forms": "django-crispy-forms",
    "dateutil": "python-dateutil",
    "debug_toolbar": "django-debug-toolbar",
    "decouple": "python-decouple",
    "django_filters": "django-filter",
    "dotenv": "python-dotenv",
    "environ": "django-environ",
    "flask_sqlalchemy": "Flask-SQLAlchemy",
    "git": "GitPython",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "yaml": "PyYAML",
}


def on_missing_module(error: ModuleNotFoundError) -> str:
    """There is no such module: which interpreter looked, and where."""
    name = error.name or ""
    top = name.partition(".")[0]
    root = scene.here()
    if top in sys.modules and top != name and not _is_package(top):
        return (
            "%s is %s, which is no package: it hides another module of that name."
            % (top, getattr(sys.modules[top], "__file__", None) or "built in")
        )
    sentences = [_interpreter(top), _in_root(root, top), _unused_virtualenv(root)]
    return "  ".join(each for each in sentences if each)


def on_import(error: ImportError) -> str:
    """The module is there, and does not have what was asked of it."""
    path = error.path or ""
    name = (error.name or "").partition(".")[0]
    if path.endswith(".so"):
        return (
            "%s was built for another Python, or needs a library that is missing "
            "here; install it anew with %s." % (path, sys.executable)
        )
    if "circular import" in str(error):
        if name in _standard_modules() and scene.is_own(path, "\0"):
            return (
                "%s hides the module %s of the standard library; give it another "
                "name." % (path, name)
            )
        return "Modules of the app import each other; %s is one of them." % path
    return "Two versions that do not fit?  It was imported from %s." % (path or "?")


def _interpreter(name: str) -> str:
    where = "The app's interpreter is %s" % sys.executable
    wanted = DISTRIBUTIONS.get(name, name)
    if name in _standard_modules():
        return "%s, a Python %d.%d without the standard module %s." % (
            where,
            sys.version_info[0],
            sys.version_info[1],
            name,
        )
    if sys.prefix == sys.base_prefix:
        return where + ", which is in no virtualenv; is the app's virtualenv set?"
    return "%s; is %s installed in %s?" % (where, wanted, sys.prefix)


def _in_root(root: str, name: str) -> str:
    """The module lies in the app's folder after all, or in one below it."""
    if not name:
        return ""
    if os.path.exists(os.path.join(root, name)):
        return "There is %s in %s, but it can't be imported." % (name, root)
    for folder in _folders(root):
        place = os.path.join(folder, name)
        if os.path.exists(place + ".py") or os.path.isdir(place):
            return 'It lies in %s:  env = { PYTHONPATH = "%s" }' % (folder, folder)
    return ""


def _unused_virtualenv(root: str) -> str:
    for folder in _folders(root):
        python = os.path.join(folder, "bin", "python")
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")) and (
            os.path.abspath(folder) != os.path.abspath(sys.prefix)
        ):
            return 'There is a virtualenv that is not used:  python = "%s"' % python
    return ""


def _folders(root: str) -> List[str]:
    """The folders right below *root*, by name."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())[:200]
    except OSError:
        return []


def _is_package(name: str) -> bool:
    return hasattr(sys.modules[name], "__path__")


def _standard_modules() -> FrozenSet[str]:
    # Since Python 3.10; without it there is less advice.
    return getattr(sys, "stdlib_module_names", frozenset())
