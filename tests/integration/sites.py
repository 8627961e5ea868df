"""Apps in folders of the test's own, and servers for them.

Runs in: tests.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until

APPS = Path(__file__).parents[1] / "apps"


class Site:
    """A copy of ``tests/apps/probe``, or of another app.

    Its name, and that of its folder, is *name*; further keys are those of an
    ``[[app]]``.
    """

    def __init__(
        self,
        parent: Path,
        name: str = "probe",
        source: Path = APPS / "probe",
        **keys: object,
    ) -> None:
        self.name = name
        self.root = parent / name
        self.keys = {"name": name, "root": str(self.root), **keys}
        left_out = shutil.ignore_patterns("__pycache__", "data")
        shutil.copytree(source, self.root, ignore=left_out)

    def write(self, name: str, text: str) -> None:
        """A file in the app's folder."""
        (self.root / name).write_text(text)

    def open_gate(self, name: str) -> None:
        """Let the requests go on that wait for it."""
        (self.root / f"gate-{name}").touch()

    def notes(self) -> list[str]:
        """What the app has noted so far."""
        try:
            return (self.root / "notes").read_text().splitlines()
        except FileNotFoundError:
            return []

    def wait_for_notes(self, *texts: str) -> None:
        """Wait until the app has noted all of *texts*."""
        wait_until(lambda: set(texts) <= set(self.notes()), f"the notes {texts}")


def serve(folder: Path, *sites: Site, **server: object) -> RunningServer:
    """A server for *sites*, configured by a file in *folder*.

    :param server: keys of ``[server]``.
    """
    file = configure(folder, *sites, **server)
    if "default_user" in server:
        return RunningServer(f"--config={file}", default_user="")
    return RunningServer(f"--config={file}")


def configure(folder: Path, *sites: Site, **server: object) -> Path:
    """Write the file of settings in *folder*, as for `serve`, and no more."""
    lines = ["[server]", *_keys(server)]
    for site in sites:
        lines += ["[[app]]", *_keys(site.keys)]
    file = folder / "passtwist.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def _keys(table: dict[str, object]) -> list[str]:
    """Lines of TOML: JSON's texts, numbers and arrays are TOML's too."""
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: object) -> str:
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()]
        return "{ " + ", ".join(pairs) + " }"
    return json.dumps(value)
