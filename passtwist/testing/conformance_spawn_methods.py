"""What every spawn method promises, as tests: subclass and run them.

Runs in: tests, those of plugins too.

    from passtwist.testing.conformance_spawn_methods import SpawnMethodConformance

    class TestExec(SpawnMethodConformance):
        method = "exec"

Workers are started for real, through a real spawn server under the reactor of
the tests.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import ISpawner, ISpawnMethod, IWorker
from passtwist.api.spawners import preview
from passtwist.errors import SpawnError
from passtwist.model import APP_ERROR, SPAWN_FAILURES, ExitStatus, SpawnRequest
from passtwist.testing.apps import load_plugins, resolved_folder
from passtwist.testing.leftovers import child_processes
from passtwist.testing.processes import is_alive, parent_of
from passtwist.testing.samples import SAMPLES
from passtwist.testing.sessions import ask
from passtwist.testing.spawn_servers import (
    come_about,
    in_reactor,
    result_of,
    running_spawn_server,
)
from passtwist.testing.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from passtwist.api.registry import Registry
    from passtwist.model import AppSpec
    from passtwist.spawning.toolkit import SpawnServer

GREETING = "Hello from a conformance test"

# An app that says who is loading it, and never gets done.
HANGS = """
import os
with open({note!r} + ".new", "w") as note:
    note.write(str(os.getpid()))
os.rename({note!r} + ".new", {note!r})
while True:
    pass
"""


class SpawnMethodConformance:
    """The promises of one spawn method.

    :cvar method: its name, as in the setting ``spawn_method``.
    :cvar plugin_file: its plugin's file, as for ``--plugin-file``; "" when its
        distribution is installed.
    :cvar sample: the app of `SAMPLES` that it starts.
    :cvar patience: seconds that a process is given to end.
    """

    method: str
    plugin_file: str = ""
    sample: str = "wsgi"
    patience: float = PATIENCE

    @pytest.fixture
    def registry(self) -> Registry:
        """What all installed plugins provide, this one included."""
        return load_plugins(self.plugin_file)

    @pytest.fixture
    def provider(self, registry: Registry) -> ISpawnMethod:
        """The spawn method, as its plugin provides it."""
        found = registry.spawn_method(self.method)
        assert found is not None, f"no plugin provides {self.method!r}"
        return found

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with an app."""
        folder = tmp_path / "greeting"
        folder.mkdir()
        SAMPLES[self.sample](folder, GREETING)
        return folder

    @pytest.fixture
    def spec(self, folder: Path, registry: Registry) -> AppSpec:
        """What the controller finds out of that folder."""
        return resolved_folder(folder, registry).spec

    @pytest.fixture
    def spawn_server(self, registry: Registry) -> Iterator[SpawnServer]:
        """The toolkit: a real spawn server."""
        with running_spawn_server(registry.child_files) as server:
            yield server

    @pytest.fixture
    def spawner(
        self, provider: ISpawnMethod, spawn_server: SpawnServer, spec: AppSpec
    ) -> Iterator[ISpawner]:
        """A spawner for the app, stopped at the end."""
        spawner = provider.create_spawner(spec, spawn_server)
        yield spawner
        spawner.stop()

    @pytest.fixture
    def worker(self, spawner: ISpawner, spec: AppSpec) -> Iterator[IWorker]:
        """A worker; killed at the end if it still runs."""
        worker = result_of(spawner.spawn(SpawnRequest(1, spec)))
        yield worker
        gone = worker.when_exited()
        worker.kill()
        result_of(gone)
        # pytest keeps what a fixture gave until the test is over; its page is
        # an open descriptor until nobody can look at it.
        if worker.scoreboard is not None:
            worker.scoreboard.release()

    # --- the provider ---------------------------------------------------------

    def test_it_provides_the_interface(
        self, provider: ISpawnMethod, registry: Registry
    ) -> None:
        """Everything that `ISpawnMethod` names; its aliases lead to it too."""
        assert verifyObject(ISpawnMethod, provider)
        assert provider.description.strip(), "the description is empty"
        assert "\n" not in provider.description
        names = (provider.name, *provider.aliases)
        assert self.method in names
        assert [registry.spawn_method(name) for name in names] == [provider] * len(
            names
        )

    def test_creating_a_spawner_starts_nothing(
        self, provider: ISpawnMethod, spec: AppSpec
    ) -> None:
        """`explain` creates one only to ask it what it would do."""
        before = dict(child_processes())
        spawner = preview(provider, spec)
        assert verifyObject(ISpawner, spawner)
        assert dict(child_processes()) == before

    def test_a_spawner_says_what_it_does_and_why(
        self, provider: ISpawnMethod, registry: Registry, spec: AppSpec
    ) -> None:
        """A known method in effect; a reason if it is not the one asked for."""
        spawner = preview(provider, spec)
        assert spawner.method in registry.spawn_method_names
        assert "\n" not in spawner.reason
        another = spawner.method != provider.name
        # A method that only chooses among others is never in effect itself.
        assert spawner.reason or not another or self.only_chooses(spawner.method)

    def only_chooses(self, chosen: str) -> bool:
        """Whether *chosen* needs no reason, as it is what the method is for."""
        return False

    # --- a worker -------------------------------------------------------------

    def test_a_spawn_fires_with_a_worker_that_is_our_child(
        self, worker: IWorker
    ) -> None:
        """Not the spawner's: the pool owns its life, and reaps it."""
        assert verifyObject(IWorker, worker)
        assert parent_of(worker.pid) == os.getpid()
        assert os.path.exists(worker.socket_path)
        assert (worker.concurrency, worker.spawn_seconds > 0) == (1, True)
        assert worker.journey, "it has no journey"

    def test_a_worker_answers(self, worker: IWorker) -> None:
        """Two requests, each on a connection of its own."""
        answers = [ask(worker, number=turn) for turn in (1, 2)]
        assert [(each.status, each.text) for each in answers] == [(200, GREETING)] * 2

    @in_reactor
    async def test_each_spawn_makes_a_worker_of_its_own(
        self, spawner: ISpawner, spec: AppSpec, worker: IWorker
    ) -> None:
        """Another process, another socket; both answer."""
        other = await spawner.spawn(SpawnRequest(2, spec))
        try:
            assert other.pid != worker.pid
            assert other.socket_path != worker.socket_path
            assert [ask(one).text for one in (worker, other)] == [GREETING] * 2
        finally:
            gone = other.when_exited()
            other.kill()
            await gone

    @in_reactor
    async def test_a_worker_that_is_asked_to_leave_exits_with_status_0(
        self, worker: IWorker
    ) -> None:
        """All who asked are told, and its socket is gone."""
        askers = [worker.when_exited(), worker.when_exited()]
        worker.terminate()
        assert [await gone for gone in askers] == [ExitStatus(code=0)] * 2
        assert not os.path.exists(worker.socket_path)

    @in_reactor
    async def test_a_worker_that_somebody_kills_is_seen_to_be_gone(
        self, worker: IWorker
    ) -> None:
        """The kernel's kill -9 too: the exit status says so."""
        gone = worker.when_exited()
        os.kill(worker.pid, 9)
        assert await gone == ExitStatus(signal=9)

    @in_reactor
    async def test_a_new_generation_runs_the_new_code(
        self, spawner: ISpawner, spec: AppSpec, folder: Path, worker: IWorker
    ) -> None:
        """After a restart nothing is forked from what had loaded the old code."""
        shutil.rmtree(folder)
        folder.mkdir()
        SAMPLES[self.sample](folder, "Hello from new code")
        newer = await spawner.spawn(SpawnRequest(2, spec, generation=1))
        gone = newer.when_exited()
        answers = [ask(newer).text, ask(worker).text]
        newer.kill()
        await gone
        assert answers == ["Hello from new code", GREETING]

    # --- no worker ------------------------------------------------------------

    @in_reactor
    async def test_an_app_that_can_not_be_loaded_is_a_spawn_error(
        self, spawner: ISpawner, spec: AppSpec, folder: Path
    ) -> None:
        """And nothing else; it names the app, and says what was raised."""
        self.begin_with(folder, spec, "raise KeyError('on purpose')\n")
        with pytest.raises(SpawnError) as caught:
            await spawner.spawn(SpawnRequest(1, spec))
        assert caught.value.category in SPAWN_FAILURES
        assert caught.value.category == APP_ERROR
        assert spec.name in caught.value.summary
        assert "KeyError: 'on purpose'" in caught.value.summary

    @in_reactor
    async def test_a_mended_app_is_spawned_by_the_same_spawner(
        self, spawner: ISpawner, spec: AppSpec, folder: Path
    ) -> None:
        """A failure is not kept for the next spawn."""
        startup = self.begin_with(folder, spec, "raise KeyError('on purpose')\n")
        with pytest.raises(SpawnError):
            await spawner.spawn(SpawnRequest(1, spec))
        startup.write_text(startup.read_text().partition("\n")[2])
        worker = await spawner.spawn(SpawnRequest(2, spec))
        gone = worker.when_exited()
        worker.kill()
        assert await gone == ExitStatus(signal=9)

    @in_reactor
    async def test_cancelling_a_spawn_ends_what_was_started_for_it(
        self, spawner: ISpawner, spec: AppSpec, folder: Path, tmp_path: Path
    ) -> None:
        """A spawn that nobody waits for any more leaves no process behind."""
        note = tmp_path / "pid"
        self.begin_with(folder, spec, HANGS.format(note=str(note)))
        spawning = spawner.spawn(SpawnRequest(1, spec))
        await come_about(note.exists, "the app to be loaded")
        loader = int(note.read_text())
        spawning.cancel()
        with pytest.raises((CancelledError, SpawnError)):
            await spawning
        await come_about(
            lambda: not is_alive(loader), f"process {loader} to end", self.patience
        )

    def test_stopping_is_harmless_twice_and_spares_the_workers(
        self, spawner: ISpawner, worker: IWorker
    ) -> None:
        """What a spawner keeps is let go; a worker is the pool's."""
        spawner.stop()
        spawner.stop()
        assert ask(worker).text == GREETING

    @in_reactor
    async def test_a_spawner_that_was_stopped_can_be_used_again(
        self, spawner: ISpawner, spec: AppSpec, worker: IWorker
    ) -> None:
        """An idle app's spawner is stopped to save memory; then comes a request."""
        spawner.stop()
        other = await spawner.spawn(SpawnRequest(2, spec))
        gone = other.when_exited()
        answer = ask(other).text
        other.kill()
        await gone
        assert answer == GREETING

    def begin_with(self, folder: Path, spec: AppSpec, code: str) -> Path:
        """Put *code* in front of the module that is loaded; answers its path."""
        module = spec.entry.partition(":")[0]
        startup = folder / f"{module.replace('.', '/')}.py"
        startup.write_text(code + startup.read_text())
        return startup
