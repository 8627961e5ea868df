"""The checker finds what it is there to find, in a small bad package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.layers import LAYERS
from tests.architecture.sources import When, read_package


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Write files of a package and answer with what a rule says about it."""
    monkeypatch.chdir(tmp_path)

    def write_and_check(rule, **sources):
        for name, source in sources.items():
            path = Path("passtwist", *name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return list(rule(read_package(Path("passtwist"))))

    return write_and_check


def test_each_way_to_import_a_forbidden_layer_is_found(found):
    """Absolute, relative, by name, as a module, lazily, and for types only."""
    source = """
from typing import TYPE_CHECKING
import passtwist.service.pooling
from passtwist import pool
from passtwist.pool.room import Room
from ..pool import room
from . import scanner
from passtwist import __version__
if TYPE_CHECKING:
    from passtwist.wire.frames import Frame
def lazily():
    from passtwist.spawning.channel import Channel
"""
    said = found(
        rules.broken_layers, http__head=source, http__scanner="", pool__room=""
    )
    where = "passtwist/http/head.py"
    assert said == [
        f"{where}:3: http may not import passtwist.service.pooling (at once)",
        f"{where}:4: http may not import passtwist.pool (at once)",
        f"{where}:5: http may not import passtwist.pool.room (at once)",
        f"{where}:6: http may not import passtwist.pool.room (at once)",
        f"{where}:10: http may not import passtwist.wire.frames (never)",
        f"{where}:12: http may not import passtwist.spawning.channel (lazily)",
    ]


def test_a_layer_may_import_what_its_row_names_and_no_more(found):
    """Only the views of the pool are open to the interfaces."""
    source = "from passtwist.pool.views import V\nfrom passtwist.pool.room import R\n"
    assert found(rules.broken_layers, api__a=source, pool__views="", pool__room="") == [
        "passtwist/api/a.py:2: api may not import passtwist.pool.room (at once)"
    ]


def test_the_command_may_import_the_assembly_lazily_only(found):
    """At once it would bring Twisted along."""
    source = "from passtwist import assembly\ndef f():\n from passtwist import assembly"
    assert found(rules.broken_layers, cli__main=source, assembly="") == [
        "passtwist/cli/main.py:1: cli may not import passtwist.assembly (at once)"
    ]


def test_a_built_in_may_not_import_another(found):
    """A third party's plugin could not either; not even the assembly may."""
    said = found(
        rules.broken_layers,
        builtin__smart__plugin="from passtwist.builtin.auto import plugin",
        builtin__auto__plugin="from passtwist.builtin.auto import plugin",
        assembly="import passtwist.builtin.auto.plugin",
    )
    target = "may not import passtwist.builtin.auto.plugin (at once)"
    assert said == [
        f"passtwist/assembly.py:1: assembly {target}",
        f"passtwist/builtin/smart/plugin.py:1: builtin.*.plugin {target}",
    ]


def test_a_module_in_no_layer_is_found(found):
    """A new package needs a row of the table."""
    assert found(rules.broken_layers, extras__thing="") == [
        "passtwist/extras/thing.py: is in no layer of the table"
    ]


def test_foreign_imports_are_found_where_they_cannot_work(found):
    """No third party below the controller, no effects in the pool, no slow command."""
    said = found(
        rules.foreign_imports,
        worker__loop="import os\nimport attrs\ndef f():\n    import twisted.logger\n",
        pool__room="import time\nfrom collections import deque\n",
        cli__main="import click\nfrom twisted import web\ndef f():\n import twisted",
        http__server="import twisted",
    )
    assert said == [
        "passtwist/cli/main.py:2: the command imports twisted lazily or not at all",
        "passtwist/pool/room.py:1: the pool is pure and may not import time",
        "passtwist/worker/loop.py:2: worker runs in apps and may not import attrs",
        "passtwist/worker/loop.py:4: worker runs in apps and may not import twisted",
    ]


def test_a_folder_with_too_many_modules_is_found(found):
    """What is in folders of its own does not count."""
    many = {f"http__a{number}": "" for number in range(rules.MAX_MODULES)}
    assert found(rules.crowded_folders, **many, http__files__one="") == []
    assert found(rules.crowded_folders, **many, http__one_more="") == [
        f"passtwist/http: {rules.MAX_MODULES + 1} modules, over {rules.MAX_MODULES}"
    ]


def test_a_reactor_imported_at_once_is_found(found):
    """Inside a function it is the caller's default, and fine."""
    line = "from twisted.internet import defer, reactor\n"
    source = line + "def f():\n    from twisted.internet import reactor\n"
    assert found(rules.reactor_imports, service__pool=source) == [
        "passtwist/service/pool.py:1: the reactor comes as an argument"
    ]


def test_cycles_are_found_through_lazy_imports_but_not_through_types(found):
    """The whole cycle is named."""
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    said = found(
        rules.cycles,
        http__a="from passtwist.http import b",
        http__b="def f():\n    from passtwist.http.c import x",
        http__c="import passtwist.http.a",
        http__d="import passtwist.http.a",
        http__e=typed + "    import passtwist.http.f\n",
        http__f="import passtwist.http.e",
    )
    assert said == ["import cycle: http.a -> http.b -> http.c -> http.a"]


def test_large_modules_and_functions_are_found(found):
    """The limits are inclusive."""
    function = "def f():\n" + "    pass\n" * (rules.MAX_FUNCTION - 1)
    assert found(rules.large_things, a="#\n" * 400, b=function, c="") == []
    assert found(rules.large_things, a="#\n" * 401, b=function + "    pass\n") == [
        "passtwist/a.py: 401 lines, over 400",
        "passtwist/b.py:1: f has 51 lines, over 50",
    ]
    assert found(rules.large_things, a="", b="#\n" * 131, c="#\n" * 140) == [
        "the median module has 131 lines, over 130"
    ]


def test_modules_that_do_not_say_where_they_run_are_found(found):
    """No docstring is no answer either."""
    said = found(
        rules.silent_modules, a='"""A.\n\nRuns in: b.\n"""', b='"""B."""', c=""
    )
    missing = "the docstring does not say 'Runs in:'"
    assert said == [f"passtwist/b.py: {missing}", f"passtwist/c.py: {missing}"]


def test_names_that_say_nothing_are_found(found):
    """The spawn manager is the one manager."""
    names = ("http__request_handler", "utils", "pool__manager", "spawning__manager")
    said = found(rules.meaningless_names, **dict.fromkeys(names, ""))
    assert said == [
        "passtwist/http/request_handler.py: the name does not say what it is",
        "passtwist/pool/manager.py: the name does not say what it is",
        "passtwist/utils.py: the name does not say what it is",
    ]


def test_when_an_import_is_done_is_told_apart(tmp_path):
    """In a class or a try it is at once, in a method lazily, for types never."""
    (tmp_path / "m.py").write_text(
        """
try:
    import a
except ImportError:
    a = None
class C:
    import b
    def f(self):
        import c
        if TYPE_CHECKING:
            import d
if typing.TYPE_CHECKING:
    import e
else:
    import f
"""
    )
    imports = read_package(tmp_path)["m"].imports
    assert {each.target: each.when for each in imports} == {
        "a": When.AT_ONCE,
        "b": When.AT_ONCE,
        "c": When.LAZILY,
        "d": When.NEVER,
        "e": When.NEVER,
        "f": When.AT_ONCE,
    }


def test_every_layer_is_its_own(found):
    """No row hides another: each name belongs to the row of that name."""
    for layer in LAYERS:
        assert rules.layer_of(layer.name.replace("*", "x")) is layer
