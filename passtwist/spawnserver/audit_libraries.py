"""Libraries of a loaded app that need a word about forks.

Runs in: app spawners.
"""

from __future__ import annotations

import os
import random
import sys
from typing import Iterator, List, Set

from passtwist.model import WARNING, Finding
from passtwist.spawnserver.audit_hints import AFTER_FORK, MAPPED, NUMPY_RANDOM
from passtwist.spawnserver.audit_objects import assignment, globals_of_apps
from passtwist.spawnserver.audit_sources import Sources


def find(sources: Sources) -> List[Finding]:
    """Warnings: about C code that is loaded, and about random numbers."""
    return [*_mapped(sources), *_numpy(sources), *_generators()]


def _mapped(sources: Sources) -> Iterator[Finding]:
    files = _mapped_files()
    for library in MAPPED:
        if any(name.startswith(library.file) for name in files):
            yield Finding(
                "library:" + library.file,
                "%s is loaded, which forks are known to upset" % library.file,
                WARNING,
                sources.of_module(*library.modules).text,
                library.hint,
            )


def _mapped_files() -> Set[str]:
    found = set()
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        for line in file:
            path = line.rstrip().partition("/")[2]
            if path:
                found.add(os.path.basename(path))
    return found


def _numpy(sources: Sources) -> Iterator[Finding]:
    if NUMPY_RANDOM in sys.modules:
        yield Finding(
            "random:numpy",
            "numpy's global random state is copied by a fork; workers seed it anew",
            WARNING,
            sources.of_module(NUMPY_RANDOM, "numpy").text,
            "Nothing to do; a seed that the app sets at import does not reach its "
            "workers.",
        )


def _generators() -> Iterator[Finding]:
    """Generators of the app's own: they may be meant to give the same numbers, so
    they are not seeded anew."""
    numpy_random = sys.modules.get(NUMPY_RANDOM)
    of_numpy = tuple(
        getattr(numpy_random, name)
        for name in ("Generator", "RandomState")
        if hasattr(numpy_random, name)
    )
    for module, name, value in globals_of_apps():
        kind = type(value)
        if not issubclass(kind, (random.Random, *of_numpy)):
            continue
        if issubclass(kind, random.SystemRandom) or module.__name__.startswith("numpy"):
            continue
        yield Finding(
            "random:%s.%s" % (module.__name__, name),
            "random generator %s.%s is copied by a fork; all workers draw the same "
            "numbers from it" % (module.__name__, name),
            WARNING,
            assignment(module, name),
            "Make it anew in %s, unless the same numbers are meant." % AFTER_FORK,
        )
