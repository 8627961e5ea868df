"""What every framework plugin promises, as tests: subclass and run them.

Runs in: tests, those of plugins too.

    from passtwist.testing.conformance_frameworks import FrameworkConformance

    class TestBottle(FrameworkConformance):
        framework = "bottle"

        def make_app(self, folder, greeting):
            (folder / "app.py").write_text(APP.format(greeting=greeting))

Detection is tried in this process, the child half in the oldest interpreter
of the machine; apps are served by real processes, through a real spawn server
and at last through a real `twistd passtwist`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
from zope.interface.verify import verifyObject

from passtwist.api.detection import AppFiles
from passtwist.api.interfaces import IFramework
from passtwist.errors import DetectionError, SpawnError
from passtwist.model import APP, APP_ERROR, FRAMEWORK, ExitStatus, SpawnRequest
from passtwist.testing.apps import load_plugins, resolved_folder
from passtwist.testing.child_halves import FUNCTIONS, functions_of
from passtwist.testing.hostile import FILES, NOT_FILES, spoil, unless_it_hangs
from passtwist.testing.interpreters import oldest_interpreter
from passtwist.testing.samples import SAMPLES
from passtwist.testing.server import RunningServer
from passtwist.testing.sessions import ask
from passtwist.testing.spawn_servers import in_reactor, running_spawn_server
from passtwist.testing.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from passtwist.api.registry import Registry
    from passtwist.model import AppSpec
    from passtwist.spawning.toolkit import SpawnServer

GREETING = "Hello from a conformance test"


class FrameworkConformance(ABC):
    """The promises of one framework.

    :cvar framework: its name, as in the setting ``framework``.
    :cvar plugin_file: its plugin's file, as for ``--plugin-file``; "" when its
        distribution is installed.
    :cvar also_mine: names of `SAMPLES` that it may take as well, because it is
        asked after the frameworks that they are of.
    :cvar patience: seconds after which detection is taken to hang.
    """

    framework: str
    plugin_file: str = ""
    also_mine: tuple[str, ...] = ()
    patience: float = PATIENCE

    @abstractmethod
    def make_app(self, folder: Path, greeting: str) -> None:
        """Write the smallest app of the framework into the empty *folder*.

        GET / is to be answered with status 200 and the body *greeting*.
        """

    def break_app(self, folder: Path, startup_file: str) -> str:
        """Spoil the app in *folder* so that loading it raises.

        :param startup_file: what detection says it is; made to raise if it is
            Python.
        :returns: the name of what is raised.
        """
        assert startup_file.endswith(".py"), "say how the app is broken: break_app"
        with (folder / startup_file).open("a") as file:
            file.write("\nraise KeyError('on purpose')\n")
        return "KeyError"

    @pytest.fixture
    def registry(self) -> Registry:
        """What all installed plugins provide, this one included."""
        return load_plugins(self.plugin_file)

    @pytest.fixture
    def provider(self, registry: Registry) -> IFramework:
        """The framework, as its plugin provides it."""
        found = registry.framework(self.framework)
        assert found is not None, f"no plugin provides {self.framework!r}"
        return found

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with an app of the framework."""
        folder = tmp_path / "greeting"
        folder.mkdir()
        self.make_app(folder, GREETING)
        return folder

    @pytest.fixture
    def spec(self, folder: Path, registry: Registry) -> AppSpec:
        """What the controller finds out of that folder."""
        return resolved_folder(folder, registry).spec

    @pytest.fixture
    def spawn_server(self, registry: Registry) -> Iterator[SpawnServer]:
        """A real spawn server under the reactor of the tests."""
        with running_spawn_server(registry.child_files) as server:
            yield server

    # --- the provider ---------------------------------------------------------

    def test_it_provides_the_interface(self, provider: IFramework) -> None:
        """Everything that `IFramework` names, and one line of description."""
        assert verifyObject(IFramework, provider)
        assert provider.description.strip(), "the description is empty"
        assert "\n" not in provider.description

    # --- detection ------------------------------------------------------------

    def test_its_own_app_is_detected_and_it_says_why(
        self, provider: IFramework, folder: Path
    ) -> None:
        """A reason of one line at least, and a startup file that is there."""
        found = provider.detect(AppFiles(str(folder)))
        assert found is not None, f"nothing was detected in {list(folder.iterdir())}"
        assert found.reasons, "it does not say what it saw"
        assert all(reason.strip() and "\n" not in reason for reason in found.reasons)
        assert (folder / found.startup_file).is_file()

    def test_no_other_framework_takes_its_app(
        self, spec: AppSpec, provider: IFramework
    ) -> None:
        """Those that are asked first leave it, so priorities are right."""
        assert spec.framework == provider.name

    def test_an_empty_folder_is_not_mine(
        self, provider: IFramework, tmp_path: Path
    ) -> None:
        """None means "not mine"; it is no error."""
        assert provider.detect(AppFiles(str(tmp_path))) is None

    def test_a_folder_that_is_gone_is_not_mine(
        self, provider: IFramework, tmp_path: Path
    ) -> None:
        """Deployments remove folders whenever they like."""
        assert provider.detect(AppFiles(str(tmp_path / "gone"))) is None

    @pytest.mark.parametrize("sample", SAMPLES)
    def test_an_app_of_another_framework_is_not_mine(
        self, provider: IFramework, registry: Registry, sample: str, tmp_path: Path
    ) -> None:
        """Those in `also_mine` are, provided that their own is asked first."""
        SAMPLES[sample](tmp_path, GREETING)
        found = provider.detect(AppFiles(str(tmp_path)))
        taken = {sample} if found is not None else set()
        assert taken <= {self.framework, *self.also_mine}
        own = registry.framework(sample)
        if taken and own is not None and sample != self.framework:
            assert provider.priority < own.priority

    def test_detection_executes_nothing_of_the_app(
        self, provider: IFramework, folder: Path, tmp_path: Path
    ) -> None:
        """The controller may be root; what it looks at is not."""
        marker = tmp_path / "executed"
        confession = f"open({str(marker)!r}, 'w').close()\n"
        for path in folder.rglob("*.py"):
            path.write_text(confession + path.read_text())
        provider.detect(AppFiles(str(folder)))
        assert not marker.exists(), "detection has imported or executed the app"

    @pytest.mark.parametrize("kind", NOT_FILES)
    def test_what_is_no_file_is_not_mine(
        self, provider: IFramework, folder: Path, kind: str
    ) -> None:
        """Nothing hangs, no link is followed: use `AppFiles`, never `open`."""
        paths = spoil(folder, NOT_FILES[kind])

        def detect() -> object:
            return provider.detect(AppFiles(str(folder)))

        assert unless_it_hangs(detect, paths, self.patience) is None

    @pytest.mark.parametrize("kind", FILES)
    def test_a_file_that_is_strange_breaks_nothing(
        self, provider: IFramework, folder: Path, kind: str
    ) -> None:
        """It may be mine or not, or mine and broken."""
        spoil(folder, FILES[kind])
        try:
            provider.detect(AppFiles(str(folder)))
        except DetectionError as error:
            assert str(error)  # an answer, for whoever owns the folder

    # --- the child half -------------------------------------------------------

    def test_the_child_half_needs_the_standard_library_only(
        self, provider: IFramework, tmp_path: Path
    ) -> None:
        """It is imported by the oldest Python here, which has no packages."""
        found = functions_of(provider.child, oldest_interpreter(), tmp_path)
        assert "load" in found, "a child half has a function load(app)"

    def test_the_child_half_has_no_functions_that_nobody_calls(
        self, provider: IFramework, tmp_path: Path
    ) -> None:
        """A wrong name would never be noticed; those of your own begin with _."""
        found = functions_of(provider.child, oldest_interpreter(), tmp_path)
        public = {name: n for name, n in found.items() if not name.startswith("_")}
        assert public == {name: FUNCTIONS.get(name) for name in public}

    # --- served for real ------------------------------------------------------

    def test_an_installed_framework_has_a_layer_of_its_own(
        self, spec: AppSpec, provider: IFramework
    ) -> None:
        """With a `distribution` there is a key by which apps share a spawner."""
        assert bool(spec.framework_key) == bool(provider.distribution)

    @in_reactor
    async def test_workers_answer_whatever_way_they_were_started(
        self, spawn_server: SpawnServer, spec: AppSpec
    ) -> None:
        """Loaded afresh, forked from the app, that forked from the framework."""
        answers = {}
        routes = [(), (APP,), *([(FRAMEWORK, APP)] if spec.framework_key else [])]
        for number, route in enumerate(routes, 1):
            request = SpawnRequest(number, spec, route)
            worker = await spawn_server.spawn(request)
            try:
                answers[route] = [ask(worker, number=turn) for turn in (1, 2)]
            finally:
                gone = worker.when_exited()
                worker.terminate()
                assert await gone == ExitStatus(code=0)
        assert {
            route: [(each.status, each.text) for each in both]
            for route, both in answers.items()
        } == dict.fromkeys(routes, [(200, GREETING)] * 2)

    @in_reactor
    async def test_an_app_that_raises_fails_the_spawn_and_is_named(
        self,
        spawn_server: SpawnServer,
        provider: IFramework,
        folder: Path,
        spec: AppSpec,
    ) -> None:
        """What the app raises at import is not swallowed by the child half."""
        found = provider.detect(AppFiles(str(folder)))
        assert found is not None
        raised = self.break_app(folder, found.startup_file)
        for number, route in enumerate(((), (APP,)), 1):
            with pytest.raises(SpawnError) as caught:
                await spawn_server.spawn(SpawnRequest(number, spec, route))
            assert caught.value.category == APP_ERROR
            assert raised in caught.value.summary

    def test_it_is_served_by_twistd(self, folder: Path) -> None:
        """`twistd passtwist FOLDER` and nothing else; two requests, one worker."""
        path = self.plugin_file and os.path.abspath(self.plugin_file)
        plugin = [f"--plugin-file={path}"] if path else []
        with RunningServer(*plugin, str(folder)) as server:
            answers = [server.get("/") for _ in range(2)]
            (app,) = server.status()["apps"]
        assert [(each.status, each.text) for each in answers] == [(200, GREETING)] * 2
        assert (app["framework"], len(app["workers"])) == (self.framework, 1)
