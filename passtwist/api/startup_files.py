"""Building blocks for the detection of frameworks.

Runs in: the controller, maybe as root; see `passtwist.api.detection` for what
may be looked at.

Words are searched, nothing is parsed: a guess that is wrong fails when the
app is loaded, in the app's own process, with a message that names the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.api.detection import AppFiles

# Passenger's startup file.  Whoever has one has said what to load.
PASSENGER_FILE = "passenger_wsgi.py"
PASSENGER_ENTRY = "passenger_wsgi:application"
PASSENGER_REASON = f"{PASSENGER_FILE} is there, which says what to load"

MAX_PACKAGES = 200
APPLICATION_NAMES = ("application", "app")
FACTORY_NAMES = ("create_app", "make_app")


def has_passenger_file(files: AppFiles) -> bool:
    """True when the app brings Passenger's startup file."""
    return files.is_file(PASSENGER_FILE)


def is_module_name(name: str) -> bool:
    """True for a name that can be imported; others never get into an entry."""
    return name.isascii() and name.isidentifier()


def packages(files: AppFiles) -> tuple[str, ...]:
    """Names of the folders in the root that can be imported, sorted.

    At most 200: each costs several system calls, in the controller.
    """
    found = []
    for name in files.names():
        if is_module_name(name) and files.is_folder(name):
            found.append(name)
            if len(found) == MAX_PACKAGES:
                break
    return tuple(found)


def module_attribute(files: AppFiles, path: str) -> str:
    """The application that a module seems to define at its top level, or ""."""
    for name in APPLICATION_NAMES:
        # The line feed keeps out what is local to a function.
        words = [f"\n{name}{after}" for after in (" =", "=", ":", " :")]
        words += [f"\ndef {name}(", f"\nclass {name}", f" as {name}"]
        words += [f" import {name}\n", f" import {name}\r"]
        if files.contains(path, *words):
            return name
    return ""


def module_factory(files: AppFiles, path: str) -> str:
    """The application factory that a module seems to define, or ""."""
    for name in FACTORY_NAMES:
        if files.contains(path, f"\ndef {name}("):
            return f"{name}()"
    return ""
