"""The built-in frameworks keep what every framework plugin promises."""

from __future__ import annotations

from passtwist.testing.conformance_frameworks import FrameworkConformance
from passtwist.testing.samples import write_django, write_flask, write_wsgi


class TestWsgi(FrameworkConformance):
    """Asked last: Flask's app is a WSGI callable in a module of a usual name."""

    framework = "wsgi"
    also_mine = ("flask",)

    def make_app(self, folder, greeting):
        write_wsgi(folder, greeting)


class TestFlask(FrameworkConformance):
    """One module."""

    framework = "flask"

    def make_app(self, folder, greeting):
        write_flask(folder, greeting)


class TestDjango(FrameworkConformance):
    """A project with manage.py."""

    framework = "django"

    def make_app(self, folder, greeting):
        write_django(folder, greeting)
