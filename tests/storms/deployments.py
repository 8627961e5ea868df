"""Deployments of good and of broken code, and the ways to ask for a restart.

Runs in: tests.
"""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

from passtwist.testing.waiting import wait_until
from tests.integration import commands
from tests.storms.storm import NAME

if TYPE_CHECKING:
    from random import Random

    from tests.storms.storm import Storm

GOOD, IMPORT, HANG, HEALTH = "good", "fails at import", "hangs at import", "is ill"
BROKEN = (IMPORT, HANG, HEALTH)

# What release.py is, by kind; {n} is the release.
CODE = {
    GOOD: ["VERSION, HEALTHY = {n}, True\n"],
    IMPORT: [
        "import release_{n}_is_missing\n",
        "raise RuntimeError('release {n} is bad')\n",
        "VERSION = {n} +\n",
        "raise SystemExit('release {n} does not like it here')\n",
        "VERSION = {n}\n",  # HEALTHY can't be imported
    ],
    HANG: [
        """
import os, time
open(os.environ["STORM_JOURNAL"] + "-hangs-{n}", "w").close()
time.sleep(600)
"""
    ],
    HEALTH: ["VERSION, HEALTHY = {n}, False\n"],
}


class Deployments:
    """Puts releases into an app's folder and has them served.

    With *links* the app's root is a link that leads to the folder of a release;
    else its files are replaced.  Then a worker that loads the code itself, as those
    of ``conservative`` do, gets the newest release also when it takes the place of
    one that has had enough requests, good or not.

    :ivar release: the number of the newest; the first is 1.
    :ivar good_ones: those that came up.
    :ivar done: kinds, in their order.
    """

    def __init__(self, storm: Storm, links: bool) -> None:
        self.release = 1
        self.good_ones: list[int] = []
        self.done: list[str] = []
        self._storm = storm
        self._links = links
        self._root = storm.site.root
        self._triggers = [self.touch, self.command, self.hang_up]
        self._turns = 0

    def deploy(self, kind: str, time_out: bool = False) -> None:
        """Put the next release there, have the app restarted, wait for the outcome.

        :param time_out: of code that hangs, wait until the server gives it up; else
            only until it hangs, so that the next deployment has to overtake it.
        """
        self.release += 1
        variants = CODE[kind]
        text = variants[self.done.count(kind) % len(variants)].format(n=self.release)
        if self._links:
            self._swap(text)
        else:
            self._replace(text)
        before = self._storm.server.app(NAME)["generation"]
        trigger = self._triggers[self._turns % len(self._triggers)]
        self._turns += 1
        self._storm.note(f"release {self.release}, which {kind}: {trigger.__name__}")
        trigger(kind)
        self._storm.note(self._wait_for(kind, before, time_out))
        self.done.append(kind)

    def _wait_for(self, kind: str, before: int, time_out: bool) -> str:
        if kind == HANG:
            mark = self._storm.journal_file.with_name(f"journal-hangs-{self.release}")
            wait_until(mark.exists, f"release {self.release} to hang")
            if not time_out:
                return "it hangs"
        if kind != GOOD:
            app = wait_until(
                lambda: (
                    found
                    if (found := self._storm.server.app(NAME))["state"] == "degraded"
                    else None
                ),
                f"release {self.release} to be given up",
            )
            return f"refused: {app['last_spawn_error'].splitlines()[0]}"
        wait_until(
            lambda: self._serves_only_newer(before), f"release {self.release} to serve"
        )
        self.good_ones.append(self.release)
        self._storm.crowd.promise(self.release)
        return "it serves"

    def _serves_only_newer(self, generation: int) -> bool:
        app = self._storm.server.app(NAME)
        if app["state"] != "ready" or app["generation"] <= generation:
            return False
        serving = [one for one in app["workers"] if one["state"] in ("idle", "busy")]
        return all(one["generation"] == app["generation"] for one in serving)

    # --- files ----------------------------------------------------------------

    def _replace(self, text: str) -> None:
        new = self._root / "release.new"
        new.write_text(text)
        new.replace(self._root / "release.py")

    def _swap(self, text: str) -> None:
        folder = self._root.with_name(f"release-{self.release}")
        shutil.copytree(
            self._root, folder, ignore=shutil.ignore_patterns("tmp", "__pycache__")
        )
        (folder / "release.py").unlink()
        (folder / "release.py").write_text(text)
        link = self._root.with_name("new")
        link.symlink_to(folder)
        link.replace(self._root)

    # --- ways to restart ------------------------------------------------------

    def touch(self, kind: str) -> None:
        """restart.txt."""
        folder = self._root / "tmp"
        folder.mkdir(exist_ok=True)
        (folder / "restart.txt").touch()

    def command(self, kind: str) -> None:
        """`passtwist restart`, which can wait and then says how it went."""
        server = self._storm.server
        if kind == HANG:
            assert commands.run(server, "restart", NAME).exit_code == 0
            return
        done = commands.run(server, "restart", NAME, "--wait")
        assert done.exit_code == (0 if kind == GOOD else 1), done.output

    def hang_up(self, kind: str) -> None:
        """SIGHUP, which also reads the settings."""
        os.kill(self._storm.server.process.pid, signal.SIGHUP)

    def hang_up_with_broken_settings(self) -> None:
        """SIGHUP while the file of settings is none: nothing happens, and says why."""
        file = self._storm.settings_file
        kept = file.read_text()
        before = self._storm.server.app(NAME)
        file.write_text(kept + "max_pool_sise = 3\n[[app]\n")
        try:
            self._storm.note("SIGHUP with broken settings")
            self.hang_up(GOOD)
            self._storm.server.wait_for_log("nothing has changed")
        finally:
            file.write_text(kept)
        after = self._storm.server.app(NAME)
        assert after["generation"] == before["generation"]
        self._storm.note("settings refused")


def plan(chance: Random, good: int, broken: int) -> list[str]:
    """Kinds in the order in which they come: so many good ones at least.

    What is broken is mended by the next; the first and the last are good.
    """
    kinds = [kind for kind in BROKEN for _ in range(broken)]
    chance.shuffle(kinds)
    pairs = [[kind, GOOD] for kind in kinds]
    pairs += [[GOOD]] * max(1, good - len(pairs) - 1)
    chance.shuffle(pairs)
    return [GOOD, *(kind for pair in pairs for kind in pair)]
