"""The rules of the architecture, each a function that lists what breaks it."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from fnmatch import fnmatchcase
from statistics import median
from typing import TYPE_CHECKING

from tests.architecture.layers import (
    LAYERS,
    NOT_AT_IMPORT_OF_CLI,
    PURE,
    PURE_MAY_IMPORT,
)
from tests.architecture.sources import PACKAGE, When

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.architecture.layers import Layer
    from tests.architecture.sources import Import, Module

    Modules = dict[str, Module]

MAX_LINES = 400
MAX_MODULES = 45  # in one folder; one looks through no more to find the right one
MAX_MEDIAN = 130
MAX_FUNCTION = 50
MEANINGLESS = frozenset(
    ["util", "utils", "helper", "helpers", "common", "misc", "handler", "handlers"]
)
# Names for parts of passtwist that have a meaning: see the words in the
# architecture page.
MANAGERS = ("spawning.manager", "spawnserver.manager")


def matches(name: str, pattern: str) -> bool:
    """Whether module *name* is *pattern* or in it: wire.frames is in wire."""
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) >= len(wanted) and all(
        fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=False)
    )


def layer_of(name: str) -> Layer | None:
    """The layer that a module belongs to."""
    return next((layer for layer in LAYERS if matches(name, layer.name)), None)


def may_import(importer: str, layer: Layer, each: Import) -> bool:
    """Whether the table allows this import of a module of ours."""
    if not each.target or same_part(importer, each.target, layer):
        return True
    allowed = layer.may_import
    if each.when is When.LAZILY:
        allowed += layer.may_import_lazily
    refused = [name[1:] for name in allowed if name.startswith("-")]
    return any(matches(each.target, name) for name in allowed) and not any(
        matches(each.target, name) for name in refused
    )


def same_part(importer: str, target: str, layer: Layer) -> bool:
    """Whether both are in one layer, and in one built-in where that is more."""
    depth = layer.name.count(".") + 1
    return matches(target, ".".join(importer.split(".")[:depth]))


def broken_layers(modules: Modules) -> Iterator[str]:
    """Imports that the table does not allow, and modules that are in no layer."""
    for module in modules.values():
        layer = layer_of(module.name)
        if layer is None:
            if not module.is_package or module.imports:
                yield f"{module.path}: is in no layer of the table"
            continue
        for each in module.imports:
            if each.ours and not may_import(module.name, layer, each):
                yield (
                    f"{module.path}:{each.line}: {layer.name} may not import "
                    f"{PACKAGE}.{each.target} ({each.when.value})"
                )


def foreign_imports(modules: Modules) -> Iterator[str]:
    """Imports of others that a layer may not do: where it runs, they are not."""
    for module in modules.values():
        layer = layer_of(module.name)
        for each in module.imports:
            if each.ours or layer is None:
                continue
            top = each.target.split(".")[0]
            where = f"{module.path}:{each.line}: "
            if layer.below_the_controller and top not in sys.stdlib_module_names:
                yield f"{where}{layer.name} runs in apps and may not import {top}"
            elif layer.name == PURE and each.target not in PURE_MAY_IMPORT:
                yield f"{where}the pool is pure and may not import {each.target}"
            elif (
                layer.name == "cli"
                and each.when is When.AT_ONCE
                and top in NOT_AT_IMPORT_OF_CLI
            ):
                yield f"{where}the command imports {top} lazily or not at all"


def reactor_imports(modules: Modules) -> Iterator[str]:
    """Modules that import the reactor when they are imported themselves."""
    for module in modules.values():
        for node in module.tree.body:
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "twisted.internet"
                and any(alias.name == "reactor" for alias in node.names)
            ):
                yield f"{module.path}:{node.lineno}: the reactor comes as an argument"


def cycles(modules: Modules) -> Iterator[str]:
    """Modules that import each other, at once or lazily.

    Two that only mention each other's types are no cycle: nothing runs.
    """
    edges = {
        name: sorted(
            {
                each.target
                for each in module.imports
                if each.ours and each.when is not When.NEVER
            }
            - {name}
        )
        for name, module in modules.items()
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> Iterator[str]:
        if name in path:
            yield "import cycle: " + " -> ".join([*path[path.index(name) :], name])
        elif name not in done:
            path.append(name)
            for target in edges.get(name, ()):
                yield from visit(target)
            path.pop()
            done.add(name)

    for name in edges:
        yield from visit(name)


def large_things(modules: Modules) -> Iterator[str]:
    """Modules and functions that are too long, and a median that is."""
    sizes = [m.lines for m in modules.values() if not m.is_package]
    if sizes and median(sizes) > MAX_MEDIAN:
        yield f"the median module has {median(sizes):g} lines, over {MAX_MEDIAN}"
    for module in modules.values():
        if module.lines > MAX_LINES:
            yield f"{module.path}: {module.lines} lines, over {MAX_LINES}"
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    where = f"{module.path}:{node.lineno}: {node.name}"
                    yield f"{where} has {length} lines, over {MAX_FUNCTION}"


def crowded_folders(modules: Modules) -> Iterator[str]:
    """Folders with so many modules that nobody finds one."""
    there = Counter(m.path.parent for m in modules.values() if not m.is_package)
    for folder, number in sorted(there.items()):
        if number > MAX_MODULES:
            yield f"{folder}: {number} modules, over {MAX_MODULES}"


def silent_modules(modules: Modules) -> Iterator[str]:
    """Modules that don't say in which process they run."""
    for module in modules.values():
        if "Runs in:" not in (ast.get_docstring(module.tree) or ""):
            yield f"{module.path}: the docstring does not say 'Runs in:'"


def meaningless_names(modules: Modules) -> Iterator[str]:
    """Modules whose name says nothing about what they are."""
    for module in modules.values():
        words = set(module.name.split(".")[-1].split("_"))
        is_manager = "manager" in words and module.name not in MANAGERS
        if words & MEANINGLESS or is_manager:
            yield f"{module.path}: the name does not say what it is"
