"""Bottle keeps what every framework plugin promises, however an app is written."""

from __future__ import annotations

from passtwist.testing.conformance_frameworks import FrameworkConformance

NAMED = """
from bottle import Bottle

app = Bottle()


@app.route("/")
def greet():
    return {greeting!r}
"""

SCRIPT = """
from bottle import route, run


@route("/")
def greet():
    return {greeting!r}


run(host="localhost", port=8080)
"""


class TestNamed(FrameworkConformance):
    """The application has a name."""

    framework = "bottle"

    def make_app(self, folder, greeting):
        (folder / "app.py").write_text(NAMED.format(greeting=greeting))


class TestScript(FrameworkConformance):
    """The script of Bottle's tutorial: default application, and run()."""

    framework = "bottle"

    def make_app(self, folder, greeting):
        (folder / "main.py").write_text(SCRIPT.format(greeting=greeting))
