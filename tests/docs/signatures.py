"""Signatures as the source has them, for pages that show them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROPERTY = "property"


@dataclass(frozen=True)
class Described:
    """A class and what it has.

    :ivar head: ``IPool``, or ``ISpawnServer(ISpawnToolkit)``.
    :ivar attributes: ``name: type``, in order.
    :ivar methods: ``name(argument: type) -> type``, in order.
    """

    head: str
    attributes: tuple[str, ...]
    methods: tuple[str, ...]


def signature_of(function: ast.FunctionDef) -> str:
    """``name(argument: type) -> type``, without self."""
    arguments = ast.unparse(function.args).removeprefix("self").removeprefix(", ")
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({arguments}){returns}"


def functions_in(path: Path, prefix: str = "") -> list[str]:
    """The signatures of a module's public functions that begin with *prefix*."""
    return [
        signature_of(node)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith(prefix)
        and not node.name.startswith("_")
    ]


def classes_in(path: Path) -> Iterator[Described]:
    """The public classes of a module."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = [ast.unparse(base) for base in node.bases]
            shown = [base for base in bases if base not in ("Interface", "ABC")]
            yield Described(
                node.name + (f"({', '.join(shown)})" if shown else ""),
                tuple(
                    f"{ast.unparse(each.target)}: {ast.unparse(each.annotation)}"
                    for each in node.body
                    if isinstance(each, ast.AnnAssign)
                ),
                tuple(
                    signature_of(each)
                    for each in node.body
                    if isinstance(each, ast.FunctionDef)
                    and not each.name.startswith("_")
                ),
            )
