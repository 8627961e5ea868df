"""The conformance suites notice plugins that break their promises."""

from __future__ import annotations

import re

FRAMEWORK = """
import os
from zope.interface import implementer
from passtwist.api.detection import Detection
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework

@implementer(IFramework)
class Careless:
    name = "careless"
    description = "opens, executes and swallows"
    priority = 200
    child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "half.py")
    distribution = ""

    def detect(self, files):
        for name in ("careless.py", "app.py"):
            try:
                with open(os.path.join(files.root, name)) as file:
                    exec(file.read(), {})
            except (OSError, ValueError, SyntaxError):
                continue
            except Exception:
                pass
            return Detection("careless:application", name, ())

@hookimpl
def passtwist_frameworks():
    return [Careless()]
"""

HALF = """
import twisted

def pre_load(app):
    pass

def load(app):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"the same, whatever the app says"]
    return application
"""

FRAMEWORK_TESTS = """
from passtwist.testing.conformance_frameworks import FrameworkConformance

class TestCareless(FrameworkConformance):
    framework = "careless"
    plugin_file = "careless_plugin.py"
    patience = 1.0

    def make_app(self, folder, greeting):
        (folder / "careless.py").write_text(f"GREETING = {greeting!r}\\n")
"""

SPAWN_METHOD = """
import os
from dataclasses import replace
from twisted.internet.defer import Deferred
from zope.interface import implementer
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod

@implementer(ISpawner)
class Sloppy:
    method = "unheard-of"
    reason = ""

    def __init__(self, toolkit):
        self.toolkit = toolkit
        self.stopped = False

    def spawn(self, request):
        def failed(failure):
            raise ValueError("something else than SpawnError")

        result = Deferred()
        spawning = self.toolkit.spawn(replace(request, route=()))
        spawning.addErrback(failed)
        spawning.addCallbacks(result.callback, result.errback)
        return result

    def stop(self):
        assert not self.stopped, "only once, please"
        self.stopped = True

@implementer(ISpawnMethod)
class SloppyMethod:
    name = "sloppy"
    aliases = ()
    description = "forgets what it started"

    def create_spawner(self, app, toolkit):
        toolkit.retire(app.name)
        return Sloppy(toolkit)

@hookimpl
def passtwist_spawn_methods():
    return [SloppyMethod()]
"""

SPAWN_METHOD_TESTS = """
from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance

class TestSloppy(SpawnMethodConformance):
    method = "sloppy"
    plugin_file = "sloppy_plugin.py"
    patience = 1.0
"""


def failed_in(pytester) -> set[str]:
    """The tests that fail where *pytester* is, without ``test_`` in front.

    What fails at the end of a test, when its fixtures are stopped, counts.
    """
    result = pytester.runpytest_subprocess("-q", "-rfE", "-p", "no:cacheprovider")
    lines = "\n".join(result.outlines)
    return set(re.findall(r"^(?:FAILED|ERROR) \S+::test_(\S+)", lines, re.MULTILINE))


def test_a_careless_framework_fails_where_it_is_careless(pytester):
    """And nowhere else: what it does right, passes."""
    pytester.makepyfile(careless_plugin=FRAMEWORK, half=HALF, test_it=FRAMEWORK_TESTS)
    assert failed_in(pytester) == {
        "its_own_app_is_detected_and_it_says_why",
        "an_app_of_another_framework_is_not_mine[flask]",
        "detection_executes_nothing_of_the_app",
        "what_is_no_file_is_not_mine[fifo]",
        "what_is_no_file_is_not_mine[link",
        "the_child_half_needs_the_standard_library_only",
        "the_child_half_has_no_functions_that_nobody_calls",
        "workers_answer_whatever_way_they_were_started",
        "an_app_that_raises_fails_the_spawn_and_is_named",
        "it_is_served_by_twistd",
    }


def test_a_sloppy_spawn_method_fails_where_it_is_sloppy(pytester):
    """And nowhere else: its workers are good ones."""
    pytester.makepyfile(sloppy_plugin=SPAWN_METHOD, test_it=SPAWN_METHOD_TESTS)
    assert failed_in(pytester) == {
        "creating_a_spawner_starts_nothing",
        "a_spawner_says_what_it_does_and_why",
        "an_app_that_can_not_be_loaded_is_a_spawn_error",
        "a_mended_app_is_spawned_by_the_same_spawner",
        "cancelling_a_spawn_ends_what_was_started_for_it",
        "stopping_is_harmless_twice_and_spares_the_workers",
        "a_spawner_that_was_stopped_can_be_used_again",
    }
