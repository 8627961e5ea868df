"""Apps that say of which release they are, and are restarted.

Runs in: tests.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from passtwist.testing.waiting import wait_until
from tests.integration import commands
from tests.integration.sites import Site, serve

CODE = """
import os, time

RELEASE = {release!r}
HERE = os.path.dirname(os.path.abspath(__file__))
{more}


def application(environ, start_response):
    status, text = "200 OK", "%s %d" % (RELEASE, os.getpid())
    if environ["PATH_INFO"] == "/healthz":
        status = {health!r}
    if environ["PATH_INFO"] == "/wait":
        open(os.path.join(HERE, "waits"), "w").close()
        while not os.path.exists(os.path.join(HERE, "gate")):
            time.sleep(0.005)
    start_response(status, [("Content-Type", "text/html")])
    return [text.encode()]
"""
HANG = """
open(os.path.join(HERE, "hangs"), "w").close()
time.sleep(60)
"""
WAIT = """
while not os.path.exists(os.path.join(HERE, "go")):
    time.sleep(0.005)
"""
BROKEN = "import no_such_module\n"
HTML = {"Accept": "text/html,*/*;q=0.8"}


class Shop(Site):
    """An app that says of which release it is."""

    def __init__(self, folder, name, **keys):
        super().__init__(folder, name, base_uri=f"/{name}", **keys)
        self._touched = 0
        self.release("one")
        (self.root / "tmp").mkdir()

    # --- its files

    def release(self, name, more="", health="200 OK"):
        """New code, in place of the old."""
        self.write("new", CODE.format(release=name, more=more, health=health))
        (self.root / "new").replace(self.root / "passenger_wsgi.py")

    def touch(self):
        """At a time that it has never had; two touches may come in one tick."""
        file = self.root / "tmp" / "restart.txt"
        file.touch()
        self._touched += 1
        os.utime(file, ns=(self._touched, self._touched))

    # --- its server

    def get(self, path="/", **options):
        return self.server.get(f"/{self.name}{path}", **options)

    def answer(self, path="/", **options):
        """Of which release the code is that answers, and by which process."""
        response = self.get(path, **options)
        assert response.status == 200, response.text
        release, pid = response.text.split()
        return release, int(pid)

    def status(self):
        return self.server.app(self.name)

    def wait_for(self, state, generation=None):
        """Wait until it is in that state, and of that generation; its status."""

        def look():
            app = self.status()
            fits = generation is None or app["generation"] == generation
            return app if app["state"] == state and fits else None

        return wait_until(look, f"{self.name} to be {state} ({generation})")

    def restart(self, *flags):
        """`passtwist restart`; its exit status, and what it prints."""
        done = commands.run(self.server, "restart", self.name, *flags)
        return done.exit_code, done.output

    def has_logged(self, text):
        """Whether a line of the log has it, and names the app."""
        lines = self.server.log().splitlines()
        return any(text in line and self.name in line for line in lines)


@contextmanager
def serving_all(folder, keys_of):
    """A server with an app for each name; all of them by name."""
    shops = {name: Shop(folder, name, **keys) for name, keys in keys_of.items()}
    with serve(folder, *shops.values(), max_pool_size=200) as server:
        for shop in shops.values():
            shop.server = server
        yield shops


def serving(app):
    """Pid and generation of the workers that take requests."""
    return {
        one["pid"]: one["generation"]
        for one in app["workers"]
        if one["state"] in ("idle", "busy")
    }
