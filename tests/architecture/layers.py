"""The layers of passtwist: who may import whom.

Twin of the table in docs/explanation/architecture.md; a test keeps them equal.
A name is a module or package below `passtwist` and stands for all that is in
it; `*` stands for one name.  Each layer may import itself, and everybody the
package's own module, which holds nothing but the version.
"""

from __future__ import annotations

from dataclasses import dataclass

EVERYTHING_BUT_BUILTIN = ("*", "-builtin")


@dataclass(frozen=True)
class Layer:
    """One row of the table.

    :ivar name: the module, package or pattern.
    :ivar may_import: names or patterns; one with a minus takes away.
    :ivar may_import_lazily: the same, for imports inside functions.
    :ivar below_the_controller: runs in the app's interpreter, where there is
        no Twisted and maybe an old Python: standard library only.
    """

    name: str
    may_import: tuple[str, ...] = ()
    may_import_lazily: tuple[str, ...] = ()
    below_the_controller: bool = False


LAYERS = (
    Layer("errors", below_the_controller=True),
    Layer("model", ("errors",), below_the_controller=True),
    Layer("lifecycle", below_the_controller=True),
    Layer("masking", below_the_controller=True),
    Layer("wire", ("model", "errors"), below_the_controller=True),
    Layer("pool", ("model", "errors")),
    Layer(
        "worker",
        ("wire", "model", "errors", "lifecycle"),
        below_the_controller=True,
    ),
    Layer(
        "spawnserver",
        ("worker", "wire", "model", "errors", "lifecycle", "masking"),
        below_the_controller=True,
    ),
    Layer("api", ("pool.views", "model", "errors")),
    Layer("http", ("api", "model", "errors", "masking")),
    Layer("spawning", ("api", "wire", "model", "errors", "masking")),
    Layer("service", ("api", "pool", "wire", "model", "errors")),
    Layer("admin", ("api", "model", "errors")),
    Layer("builtin.*.plugin", ("api", "model", "errors")),
    Layer("builtin.*.child", ("lifecycle",), below_the_controller=True),
    Layer("testing", EVERYTHING_BUT_BUILTIN),
    Layer("assembly", EVERYTHING_BUT_BUILTIN),
    Layer("tap", EVERYTHING_BUT_BUILTIN),
    Layer("cli", ("api", "model", "errors"), may_import_lazily=("assembly",)),
)

# The pool decides; clocks, chance, pids and sockets come to it as arguments.
PURE = "pool"
PURE_MAY_IMPORT = frozenset(
    {
        "__future__",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "enum",
        "functools",
        "heapq",
        "itertools",
        "math",
        "operator",
        "typing",
    }
)

# Imported by the command at once, it would make every call of it slow.
NOT_AT_IMPORT_OF_CLI = frozenset({"twisted"})
