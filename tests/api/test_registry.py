"""The registry: every plugin that breaks a promise is named with the promise."""

from __future__ import annotations

import os
import types
from typing import TYPE_CHECKING

import pytest
from zope.interface import implementer

from passtwist import __version__
from passtwist.api import hookspecs
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import (
    IErrorPage,
    IFramework,
    IPoolPolicy,
    IRestartTrigger,
    ISpawnMethod,
)
from passtwist.api.registry import Registry
from passtwist.errors import PluginError
from passtwist.model import AppSpec

if TYPE_CHECKING:
    from pathlib import Path

    from passtwist.api.detection import AppFiles, Detection
    from passtwist.api.plugin_sources import Source

BUILT_IN = (
    *("auto", "conservative", "smart", "smart-lv2"),
    *("django", "flask", "wsgi"),
    *("autoreload", "restart-txt"),
)


@implementer(ISpawnMethod)
class Method:
    """A spawn method of some name."""

    description = "of a test"

    def __init__(self, name: str, *aliases: str) -> None:
        self.name = name
        self.aliases = aliases

    def __repr__(self) -> str:
        return f"Method {self.name}"

    def create_spawner(self, app, toolkit):
        raise AssertionError("not called")


@implementer(IFramework)
class Framework:
    """A framework of some name."""

    description = "of a test"
    child = os.path.abspath(__file__)
    distribution = ""

    def __init__(self, name: str, priority: int = 0, **more: object) -> None:
        self.name = name
        self.priority = priority
        vars(self).update(more)

    def __repr__(self) -> str:
        return f"Framework {self.name}"

    def detect(self, files: AppFiles) -> Detection | None:
        raise AssertionError("not called")


@implementer(IRestartTrigger)
class Trigger:
    """A restart trigger of some name."""

    description = "of a test"

    def __init__(self, name: str) -> None:
        self.name = name

    def watch(self, app, reactor):
        raise AssertionError("not called")


@implementer(IPoolPolicy)
class Policy:
    """A pool policy of some name."""

    def __init__(self, name: str, description: object = "of a test") -> None:
        self.name = name
        self.description = description

    def prefer(self, app, request):
        raise AssertionError("not called")

    def headers(self, app, request, worker):
        raise AssertionError("not called")


def plugin(**functions: object) -> types.ModuleType:
    """A module with these functions as hooks."""
    module = types.ModuleType("test_plugin")
    for name, function in functions.items():
        function.__name__ = name
        setattr(module, name, hookimpl(function))
    return module


def methods(*provided: object) -> types.ModuleType:
    return plugin(passtwist_spawn_methods=lambda: list(provided))


def frameworks(*provided: object) -> types.ModuleType:
    return plugin(passtwist_frameworks=lambda: list(provided))


def broken(*sources: Source) -> str:
    """What is said of plugins that can't be loaded."""
    with pytest.raises(PluginError) as caught:
        Registry.from_sources(sources)
    return str(caught.value)


def test_hook_spawn_methods(source):
    """What it answers can be found by name and by alias."""
    one, two = Method("one", "uno", "eins"), Method("two")
    registry = Registry.from_sources([source("x", methods(one, two))])
    assert registry.spawn_method_names == ("eins", "one", "two", "uno")
    assert registry.spawn_method("uno") is registry.spawn_method("one") is one
    assert registry.spawn_method("three") is None


def test_hook_frameworks(source):
    """They are ordered from the highest priority to the lowest, then by name."""
    low, high, same = Framework("low"), Framework("high", 9), Framework("also", 9)
    registry = Registry.from_sources(
        [source("x", frameworks(low, high)), source("y", frameworks(same))]
    )
    assert registry.frameworks == (same, high, low)
    assert registry.framework("low") is low
    assert registry.framework("none") is None
    assert registry.child_files == dict.fromkeys(
        ("also.py", "high.py", "low.py"), os.path.abspath(__file__)
    )


def test_hook_restart_triggers(source):
    """All of them, by name; two of one name are an error."""
    one, two = Trigger("one"), Trigger("two")
    triggers = plugin(passtwist_restart_triggers=lambda: [two, one])
    registry = Registry.from_sources([source("x", triggers)])
    assert registry.restart_triggers == (one, two)
    assert [(row.kind, row.name) for row in registry.provided] == [
        ("restart trigger", "one"),
        ("restart trigger", "two"),
    ]
    again = plugin(passtwist_restart_triggers=lambda: [Trigger("one")])
    text = broken(source("x", triggers), source("y", again))
    assert "restart trigger 'one' is already that of plugin" in text


@implementer(IErrorPage)
class ErrorPage:
    """Error pages of some name, for the folder *folder* only."""

    description = "of a test"

    def __init__(self, name: str, folder: str = "") -> None:
        self.name = name
        self.folder = folder

    def page(self, facts):
        raise AssertionError("not called")


def error_pages(page: object) -> types.ModuleType:
    def hook(error_pages):
        folder = getattr(page, "folder", error_pages)
        return page if folder == error_pages else None

    return plugin(passtwist_error_page=hook)


def test_hook_error_page(source):
    """The last plugin with one for the folder has it; that without is listed."""
    one, two = ErrorPage("one"), ErrorPage("two", "/errors")
    assert Registry.from_sources([]).error_page("/errors") is None
    registry = Registry.from_sources(
        [source("x", error_pages(one)), source("y", error_pages(two))]
    )
    assert registry.error_page("") is one
    assert registry.error_page("/errors") is two
    assert registry.error_page("/other") is None
    assert [(row.kind, row.name, row.plugin) for row in registry.provided] == [
        ("error page", "one", "x")
    ]


def test_an_error_page_that_is_none(source):
    """The interface is looked at."""
    text = broken(source("x", error_pages(object())))
    assert text.startswith("plugin 'x' (from x-dist 1.0): passtwist_error_page: ")
    assert "Does not declaratively implement the interface" in text


def policies(policy: object) -> types.ModuleType:
    return plugin(passtwist_pool_policy=lambda: policy)


def test_hook_pool_policy(source):
    """The last plugin with one has it, and a plugin may have none after all."""
    one, two = Policy("one"), Policy("two")
    assert Registry.from_sources([]).pool_policy is None
    registry = Registry.from_sources(
        [
            source("x", policies(one)),
            source("y", policies(two)),
            source("z", policies(None)),
        ]
    )
    assert registry.pool_policy is two
    assert [(row.kind, row.name, row.plugin) for row in registry.provided] == [
        ("pool policy", "two", "y")
    ]


@pytest.mark.parametrize(
    ("policy", "cause"),
    [
        (object(), "Does not declaratively implement the interface"),
        (Policy("no name"), "has no good name; use letters, digits, '_' and '-'"),
        (Policy("x", 7), "has no good description; it is one line of text"),
    ],
)
def test_a_pool_policy_that_is_none(source, policy, cause):
    """Each promise of the interface is looked at."""
    text = broken(source("x", policies(policy)))
    assert text.startswith("plugin 'x' (from x-dist 1.0): passtwist_pool_policy: ")
    assert cause in text


def test_hook_spawn_environment(source):
    """The answers of all plugins together; None is nothing."""
    app = AppSpec("shop", "/srv/shop")
    answers = {"a": {"A": "1", "X": "0"}, "b": None, "c": {"C": app.name, "X": "0"}}
    sources = [
        source(name, plugin(passtwist_spawn_environment=lambda app, a=answer: a))
        for name, answer in answers.items()
    ]
    registry = Registry.from_sources(sources)
    assert registry.spawn_environment(app) == {"A": "1", "C": "shop", "X": "0"}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"X": "other"}, "plugin 'second' wants another value for X"),
        (["X"], "answered ['X']; it must answer a mapping or None"),
        ({"A=B": "secret"}, "answered an impossible variable 'A=B'"),
        ({"A": "secret\0"}, "answered an impossible variable 'A'"),
        ({"A": 1}, "answered an impossible variable 'A'"),
    ],
)
def test_a_wrong_environment_names_the_plugin_and_no_value(source, answer, cause):
    """A value may be a secret."""

    def first(app):
        return answer

    def second(app):
        return {"X": "secret"}

    registry = Registry.from_sources(
        [
            source("first", plugin(passtwist_spawn_environment=first)),
            source("second", plugin(passtwist_spawn_environment=second)),
        ]
    )
    with pytest.raises(PluginError) as caught:
        registry.spawn_environment(AppSpec("shop", "/srv/shop"))
    assert str(caught.value) == (
        f"plugin 'first' (from first-dist 1.0): passtwist_spawn_environment: {cause}"
    )


def test_a_misspelt_hook(source):
    """It would never be called."""
    module = plugin(passtwist_framework=lambda: None)
    assert broken(source("x", module)) == (
        "plugin 'x' (from x-dist 1.0): passtwist_framework: there is no such hook; "
        "did you mean passtwist_frameworks?"
    )


def test_a_plugin_without_hooks(source):
    """The decorator was forgotten."""
    assert broken(source("x", types.ModuleType("x"))) == (
        "plugin 'x' (from x-dist 1.0): hooks: it has none; decorate its functions "
        "with passtwist.api's hookimpl"
    )


def test_a_hook_with_an_argument_that_does_not_exist(source):
    """The message names the function."""
    text = broken(source("x", plugin(passtwist_frameworks=lambda apps: [])))
    assert text.startswith("plugin 'x' (from x-dist 1.0): hooks: ")
    assert "passtwist_frameworks(apps)" in text


def test_a_wrapper(source):
    """Plugins are called one by one, so there is nothing to wrap."""

    def passtwist_frameworks():
        return (yield)

    module = types.ModuleType("wrapping")
    module.passtwist_frameworks = hookimpl(wrapper=True)(passtwist_frameworks)
    assert broken(source("x", module)) == (
        "plugin 'x' (from x-dist 1.0): passtwist_frameworks: wraps the hooks of "
        "others; plugins are called one by one"
    )


def test_an_exception_in_a_hook(source):
    """Mine, and broken: plugin, distribution, hook and cause."""

    def fail():
        raise ZeroDivisionError("over\nand out")

    assert broken(
        source("good", methods(Method("one"))),
        source("bad", plugin(passtwist_spawn_methods=fail)),
    ) == (
        "plugin 'bad' (from bad-dist 1.0): passtwist_spawn_methods: raised "
        "ZeroDivisionError: over"
    )


def test_a_hook_that_exits(source):
    """It does not take the server with it without a word."""

    def leave():
        raise SystemExit("bye")

    assert broken(source("x", plugin(passtwist_frameworks=leave))) == (
        "plugin 'x' (from x-dist 1.0): passtwist_frameworks: raised SystemExit: bye"
    )


def test_an_exception_in_a_generator(source):
    """It comes when the answer is read, and counts all the same."""

    def fail():
        yield Method("one")
        raise KeyError

    assert broken(source("x", plugin(passtwist_spawn_methods=fail))) == (
        "plugin 'x' (from x-dist 1.0): passtwist_spawn_methods: raised KeyError"
    )


@pytest.mark.parametrize("answer", [7, "text", Method("one")])
def test_an_answer_that_is_no_list(source, answer):
    """Not even one provider by itself."""
    module = plugin(passtwist_spawn_methods=lambda: answer)
    assert broken(source("x", module)) == (
        "plugin 'x' (from x-dist 1.0): passtwist_spawn_methods: answered "
        f"{answer!r}; it must answer a list of providers"
    )


@pytest.mark.parametrize(
    ("provider", "cause"),
    [
        (Framework("x y"), "has no good name; use letters, digits, '_' and '-'"),
        (Framework("x", description=1), "has no good description; it is one line of t"),
        (Framework("x", priority="9"), "has no good priority; it is a whole number"),
        (Framework("x", child="child.py"), "has no good child; it is the absolute pat"),
        (
            Framework("x", child="/no/child.py"),
            "its child half /no/child.py is no file",
        ),
        (Framework("x", distribution=None), "has no good distribution; it is a name"),
        (Framework, "Does not declaratively implement the interface"),
        (object(), "Does not declaratively implement the interface"),
    ],
)
def test_a_framework_that_is_none(source, provider, cause):
    """Each promise of the interface is looked at."""
    text = broken(source("x", frameworks(provider)))
    assert text.startswith("plugin 'x' (from x-dist 1.0): passtwist_frameworks: ")
    assert cause in text
    assert "\n" not in text


def test_a_spawn_method_without_its_method(source):
    """The message says what is missing."""

    @implementer(ISpawnMethod)
    class Empty:
        name = "x"
        aliases = ()

    text = broken(source("x", methods(Empty())))
    assert "description" in text
    assert "create_spawner" in text


def test_aliases_that_are_no_tuple(source):
    """One name as text would be taken letter by letter."""
    method = Method("x")
    method.aliases = "direct"
    assert broken(source("x", methods(method))) == (
        "plugin 'x' (from x-dist 1.0): passtwist_spawn_methods: Method x has no good "
        "aliases; they are a tuple of names"
    )


@pytest.mark.parametrize(
    ("first", "second", "kind", "hook", "name"),
    [
        (
            methods(Method("a")),
            methods(Method("a")),
            "spawn method",
            "spawn_methods",
            "a",
        ),
        (
            methods(Method("a", "b")),
            methods(Method("b")),
            *("spawn method", "spawn_methods", "b"),
        ),
        (
            frameworks(Framework("a")),
            frameworks(Framework("a")),
            "framework",
            "frameworks",
            "a",
        ),
    ],
)
def test_a_name_that_is_taken(source, first, second, kind, hook, name):
    """Both plugins are named; it does not matter who came first."""
    assert broken(source("one", first), source("two", second)) == (
        f"plugin 'one' (from one-dist 1.0): passtwist_{hook}: {kind} {name!r} is "
        "already that of plugin 'two' (from two-dist 1.0); remove one of the two"
    )


def test_one_plugin_that_takes_a_name_twice(source):
    """It is no better than two of them."""
    assert broken(source("x", methods(Method("a", "a")))) == (
        "plugin 'x' (from x-dist 1.0): passtwist_spawn_methods: spawn method 'a' is "
        "already that of plugin 'x' (from x-dist 1.0); remove one of the two"
    )


def test_two_sources_of_one_name(source):
    """The second is not skipped."""
    assert broken(
        source("x", methods(Method("a"))), source("x", methods(), "/srv/x.py")
    ) == (
        "plugin 'x' (from /srv/x.py): name: x-dist 1.0 has a plugin of the same name; "
        "rename one"
    )


def test_each_call_of_a_hook_is_traced(source):
    """For authors who wonder whether they are called at all."""
    lines: list[str] = []
    Registry.from_sources([source("x", methods(Method("a")))], trace=lines.append)
    assert lines == ["passtwist_spawn_methods of plugin 'x' (from x-dist 1.0)"]


def test_the_variable_traces_to_standard_error(monkeypatch, capsys):
    """PASSTWIST_TRACE_PLUGINS=1, without any argument."""
    monkeypatch.setenv("PASSTWIST_TRACE_PLUGINS", "1")
    Registry.load()
    origin = f"passtwist {__version__}"
    lines = capsys.readouterr().err.splitlines()
    assert f"passtwist: passtwist_frameworks of plugin 'wsgi' (from {origin})" in lines


def test_the_built_ins_come_by_their_entry_points():
    """Nothing of ours is registered in any other way."""
    registry = Registry.load(block="")
    kinds = dict.fromkeys(BUILT_IN, "spawn method")
    kinds |= dict.fromkeys(("django", "flask", "wsgi"), "framework")
    kinds |= dict.fromkeys(("autoreload", "restart-txt"), "restart trigger")
    assert {(one.kind, one.name, one.plugin) for one in registry.provided} == {
        (kind, name, name) for name, kind in kinds.items()
    }
    assert {one.origin for one in registry.provided} == {f"passtwist {__version__}"}
    assert [one.name for one in registry.frameworks] == ["django", "flask", "wsgi"]
    assert registry.spawn_method("direct") is registry.spawn_method("conservative")


def test_plugins_can_be_blocked(monkeypatch):
    """By name, separated by commas; with all blocked nothing is left."""
    monkeypatch.setenv("PASSTWIST_BLOCK_PLUGINS", "django, flask")
    assert [one.name for one in Registry.load().frameworks] == ["wsgi"]
    assert Registry.load(block=",".join(BUILT_IN)).provided == ()


def test_a_list_of_all_plugins():
    """A table that fits what is in it."""
    registry = Registry.load(block="auto,smart,smart-lv2,django,flask,autoreload")
    assert registry.describe().splitlines() == [
        (
            "KIND             NAME                  "
            f"FROM{' ' * (len(__version__) + 6)}  "
            "DESCRIPTION"
        ),
        (
            f"spawn method     conservative, direct  passtwist {__version__}  a fresh "
            "interpreter for each worker; works with every app"
        ),
        (
            f"framework        wsgi                  passtwist {__version__}  plain "
            "WSGI: passenger_wsgi.py, or wsgi.py, app.py, application.py, main.py with "
            "application or app"
        ),
        (
            f"restart trigger  restart-txt           passtwist {__version__}  "
            "restart.txt and always_restart.txt in the folder restart_dir of an app"
        ),
    ]


def distribution(folder: Path, name: str, entry: str) -> None:
    """An installed distribution with one plugin."""
    info = folder / f"{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[passtwist]\n{entry}\n")


def test_two_distributions_with_one_entry_point(tmp_path, monkeypatch):
    """pluggy would silently skip the second; here both are named."""
    monkeypatch.syspath_prepend(tmp_path)
    distribution(tmp_path, "acme", "django = acme.plugin")
    with pytest.raises(PluginError) as caught:
        Registry.load()
    assert str(caught.value) == (
        f"plugin 'django' (from passtwist {__version__}): entry point: acme 1.5 has a "
        "plugin of the same name; remove one or set PASSTWIST_BLOCK_PLUGINS=django"
    )


def test_an_entry_point_that_leads_nowhere(tmp_path, monkeypatch):
    """The distribution is named with its version."""
    monkeypatch.syspath_prepend(tmp_path)
    distribution(tmp_path, "acme", "acme = acme_plugin_that_is_not_there")
    with pytest.raises(PluginError) as caught:
        Registry.load()
    assert str(caught.value) == (
        "plugin 'acme' (from acme 1.5): import: raised ModuleNotFoundError: No module "
        "named 'acme_plugin_that_is_not_there'"
    )


PLUGIN_FILE = """
from zope.interface import implementer
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawnMethod
from passtwist.api.spawners import conservative_spawner


@implementer(ISpawnMethod)
class Mine:
    name = "mine"
    aliases = ()
    description = "my own"

    def create_spawner(self, app, toolkit):
        return conservative_spawner(app, toolkit)


@hookimpl
def passtwist_spawn_methods():
    return [Mine()]
"""


def test_a_plugin_of_a_single_file(tmp_path):
    """It needs no packaging."""
    path = tmp_path / "my_plugin.py"
    path.write_text(PLUGIN_FILE)
    registry = Registry.load([str(path)])
    assert registry.spawn_method("mine").description == "my own"
    assert registry.provided[2].origin == str(path)


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("bad.py", "def (", "raised SyntaxError: invalid syntax (bad.py, line 1)"),
        ("bad.py", "1 / 0", "raised ZeroDivisionError: division by zero"),
        ("bad.py", "raise SystemExit(3)", "raised SystemExit: 3"),
        ("bad.py", None, "raised FileNotFoundError: [Errno 2] No such file or directo"),
        ("bad.txt", "", "is no Python file; its name must end in .py"),
    ],
)
def test_a_broken_plugin_file(tmp_path, name, text, cause):
    """The file is named; nothing of it stays behind."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(PluginError) as caught:
        Registry.load([str(path)])
    assert str(caught.value).startswith(f"plugin 'bad' (from {path}): import: raised ")
    assert cause in str(caught.value)


def test_each_hook_has_a_test():
    """A hook is born with a test that is named after it."""
    hooks = {name for name in vars(hookspecs) if name.startswith("passtwist_")}
    tests = {name.removeprefix("test_hook_") for name in globals()}
    assert {hook.removeprefix("passtwist_") for hook in hooks} <= tests
