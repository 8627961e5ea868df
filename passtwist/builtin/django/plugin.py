"""The framework django.

Runs in: the controller.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.detection import AppFiles, Detection
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework
from passtwist.api.startup_files import (
    PASSENGER_ENTRY,
    PASSENGER_FILE,
    PASSENGER_REASON,
    has_passenger_file,
    packages,
)
from passtwist.errors import DetectionError

if TYPE_CHECKING:
    from passtwist.model import AppSpec

MANAGE = "manage.py"
MANAGE_WORDS = ("DJANGO_SETTINGS_MODULE", "django")
WSGI_WORDS = ("get_wsgi_application", "DJANGO_SETTINGS_MODULE")
SETTINGS_WORDS = ("INSTALLED_APPS", "ROOT_URLCONF", "django")
# For projects without a wsgi.py; it reads DJANGO_SETTINGS_MODULE.
GENERIC_ENTRY = "django.core.wsgi:get_wsgi_application()"
SETTINGS_OPTION = "settings"


@implementer(IFramework)
class Django:
    """A folder with manage.py, or with a package of settings and wsgi module."""

    name = "django"
    description = "Django: manage.py, a package with wsgi.py or settings.py"
    priority = 100
    child = os.path.join(os.path.dirname(__file__), "child.py")
    distribution = "Django"

    def detect(self, files: AppFiles) -> Detection | None:
        """As `IFramework.detect`.

        :raises DetectionError: manage.py is Django's, but the project's
            package was not found.
        """
        reasons = []
        managed = files.is_file(MANAGE) and files.contains(MANAGE, *MANAGE_WORDS)
        if managed:
            reasons.append(f"{MANAGE} names Django")
        project = _project(files, managed)
        if project is None and not managed:
            return None
        if has_passenger_file(files):
            return Detection(
                PASSENGER_ENTRY, PASSENGER_FILE, (*reasons, PASSENGER_REASON)
            )
        if project is None:
            raise DetectionError(
                f"{MANAGE} names Django, but no folder beside it holds a wsgi.py or "
                'settings.py; set entry, for example to "shop.wsgi:application"'
            )
        return _detection(files, project, reasons)


def _project(files: AppFiles, managed: bool) -> str | None:
    """The project's package, "" for one that lies flat in the root, or None."""
    candidates = [name for name in packages(files) if _is_project(files, name, managed)]
    if not candidates:
        return "" if _is_project(files, "", managed) else None
    # manage.py says `"shop.settings"`; apps beside the project have no such line.
    for name in candidates:
        if managed and files.contains(MANAGE, f'"{name}.', f"'{name}."):
            return name
    with_wsgi = [name for name in candidates if files.is_file(f"{name}/wsgi.py")]
    return (with_wsgi or candidates)[0]


def _is_project(files: AppFiles, name: str, managed: bool) -> bool:
    """True for a package with wsgi.py or settings; without manage.py, for both."""
    wsgi = files.contains(_path(name, "wsgi.py"), *WSGI_WORDS)
    settings = _settings_file(files, name)
    if managed:
        return wsgi or bool(settings)
    return wsgi and bool(settings) and files.contains(settings, *SETTINGS_WORDS)


def _settings_file(files: AppFiles, name: str) -> str:
    for path in (_path(name, "settings.py"), _path(name, "settings/__init__.py")):
        if files.is_file(path):
            return path
    return ""


def _detection(files: AppFiles, project: str, reasons: list[str]) -> Detection:
    wsgi = _path(project, "wsgi.py")
    settings = _settings_file(files, project)
    if settings:
        reasons.append(f"{settings} is there")
    # With a wsgi.py the settings module is its to choose: it may well be
    # another one than settings.py.
    if files.contains(wsgi, *WSGI_WORDS):
        reasons.append(f"{wsgi} makes the application")
        module = f"{project}.wsgi" if project else "wsgi"
        return Detection(f"{module}:application", wsgi, tuple(reasons))
    module = f"{project}.settings" if project else "settings"
    reasons.append(f"there is no {wsgi}, so Django makes the application")
    return Detection(GENERIC_ENTRY, settings, tuple(reasons), {SETTINGS_OPTION: module})


def _path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


@hookimpl
def passtwist_frameworks() -> list[IFramework]:
    """One framework."""
    return [Django()]


@hookimpl
def passtwist_spawn_environment(app: AppSpec) -> dict[str, str] | None:
    """The settings module of a project that has no wsgi.py to choose it."""
    settings = app.options.get(SETTINGS_OPTION)
    if app.framework != Django.name or not settings:
        return None
    return {"DJANGO_SETTINGS_MODULE": str(settings)}
