"""Modules of a package and their imports, read without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "passtwist"


class When(Enum):
    """When an import is done."""

    AT_ONCE = "at once"
    LAZILY = "lazily"  # inside a function
    NEVER = "never"  # only by type checkers


@dataclass(frozen=True)
class Import:
    """One import of one module.

    :ivar target: the imported module, with dots; of ours without the package's
        name in front, '' for the package itself.
    :ivar ours: whether it is a module of the package.
    """

    line: int
    target: str
    ours: bool
    when: When


@dataclass(frozen=True)
class Module:
    """One file.

    :ivar name: without the package's name in front: ``wire.frames``; a
        package is called as itself: ``wire``, ``''``.
    """

    name: str
    path: Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]
    is_package: bool


def read_package(folder: Path) -> dict[str, Module]:
    """All modules in *folder*, by name."""
    paths = sorted(folder.rglob("*.py"))
    names = {module_name(folder, path): path for path in paths}
    importable = {
        ".".join(parts[:length])
        for parts in (name.split(".") for name in names)
        for length in range(1, len(parts) + 1)
    }
    modules = {}
    for name, path in names.items():
        text = path.read_text("utf-8")
        tree = ast.parse(text, str(path))
        is_package = path.name == "__init__.py"
        imports = tuple(find_imports(tree, name, is_package, importable))
        modules[name] = Module(
            name, path, len(text.splitlines()), tree, imports, is_package
        )
    return modules


def module_name(folder: Path, path: Path) -> str:
    """``wire.frames`` for ``wire/frames.py``, ``wire`` for its ``__init__.py``."""
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def find_imports(
    tree: ast.Module, name: str, is_package: bool, importable: set[str]
) -> Iterator[Import]:
    """Every import statement of a module, and each name in it that is a module."""
    for node, when in walk(tree, When.AT_ONCE):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, name, is_package)
            below = [f"{base}.{alias.name}" for alias in node.names]
            # `from package import module` imports a module of that name;
            # `from module import thing` does not.
            targets = [each if strip(each) in importable else base for each in below]
        else:
            continue
        for target in dict.fromkeys(targets):
            ours = target.split(".")[0] == PACKAGE
            yield Import(node.lineno, strip(target) if ours else target, ours, when)


def walk(node: ast.AST, when: When) -> Iterator[tuple[ast.AST, When]]:
    """All nodes below *node*, with when what they hold is imported."""
    for child in ast.iter_child_nodes(node):
        inner = when
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inner = When.LAZILY if when is When.AT_ONCE else when
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for each in child.body:
                yield each, When.NEVER
                yield from walk(each, When.NEVER)
            for each in child.orelse:
                yield each, when
                yield from walk(each, when)
            continue
        yield child, inner
        yield from walk(child, inner)


def absolute(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    """The module that a ``from`` import names, with the package in front."""
    if not node.level:
        return node.module or ""
    parts = [PACKAGE, *name.split(".")] if name else [PACKAGE]
    drop = node.level - (1 if is_package else 0)
    base = parts[: len(parts) - drop]
    return ".".join([*base, node.module] if node.module else base)


def strip(target: str) -> str:
    """*target* without the package's name in front."""
    return target.partition(".")[2] if target.split(".")[0] == PACKAGE else target
