"""One target under libFuzzer: ``python -m tests.fuzz.guided TARGET FLAGS``.

Runs in: a process of its own, which libFuzzer ends.  See `tests.fuzz.__main__`.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["passtwist"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
