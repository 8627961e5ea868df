"""One attempt to start one worker.

Runs in: the controller.

Descriptors go down, records come up, and in the end there is a worker or a
`SpawnError`.  Whatever was started for an attempt that failed is ended by
closing its lifeline, so no pid has to be believed for that.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from passtwist.errors import BadFrame, SpawnError
from passtwist.model import (
    APP,
    APP_ERROR,
    FRAMEWORK,
    INTERNAL,
    LAYER_DIED,
    SYSTEM,
    TIMEOUT,
    WARNING,
    WORKER,
    ExitStatus,
    Finding,
    Scene,
    SpawnRequest,
)
from passtwist.spawning.child import Child, Children, NotOurChild
from passtwist.spawning.descriptors import SpawnDescriptors, make
from passtwist.spawning.failure import advice_on_timeout, masker, outer_scene
from passtwist.spawning.handshake import Handshake
from passtwist.spawning.hang import HangWatch, Holder, SpawnerHung, patience_for
from passtwist.spawning.journey import Journey
from passtwist.spawning.output import Output
from passtwist.spawning.stacks import Stacks
from passtwist.spawning.starting import StartingWorker
from passtwist.spawning.worker import Worker
from passtwist.wire.journey import (
    FailedRecord,
    FindingRecord,
    ReadyRecord,
    Record,
    StartedRecord,
    StepRecord,
)

if TYPE_CHECKING:
    from passtwist.api.reactors import Reactor
    from passtwist.spawning.manager import SpawnManager
    from passtwist.spawning.output_rate import OutputRates
    from passtwist.spawning.spawners import SpawnerProcess, Spawners

_log = Logger(namespace="passtwist.spawning")

# How long a process whose handshake broke may take to be gone before it is
# taken for one that closed its descriptors and lives on; and how long to wait
# for what the manager says of a spawner's end.
GONE_WITHIN = 1.0  # seconds

# An app's code can write findings too.
MAX_FINDINGS = 50


class Ground(Protocol):
    """What an attempt stands on; the toolkit provides it."""

    reactor: Reactor
    children: Children
    spawner_processes: Spawners
    manager: SpawnManager
    starting_workers: dict[int, StartingWorker]
    output_rates: OutputRates

    def socket_path(self, number: int) -> str:
        """Where the worker's listening socket goes."""

    def send(self, request: SpawnRequest, fds: dict[str, int]) -> None:
        """Hand the spawn to the manager."""

    def keep(self, *pipes: Output | Stacks) -> None:
        """Close them when the server stops."""


class Attempt:
    """From `begin` until `done` fires.

    :ivar done: fires with an `IWorker`, or errbacks with `SpawnError`.
    """

    def __init__(self, ground: Ground, request: SpawnRequest, decided: float) -> None:
        self.done: Deferred[Worker] = Deferred(lambda _: self._cancelled())
        self.journey = Journey()
        self._ground = ground
        self._request = request
        self._decided = decided  # CLOCK_MONOTONIC
        self._child: Child | None = None
        self._outputs: list[Output] = []
        self._stacks: Stacks | None = None
        self._findings: list[Finding] = []
        self._descriptors: SpawnDescriptors | None = None
        self._handshake: Handshake | None = None
        # A spawner that this spawn has started and that has not come to fork.
        self._starting: SpawnerProcess | None = None
        self._exit_told: Deferred[ExitStatus] | None = None
        self._watch = HangWatch(ground, request, self.journey, self._hangs)
        self._timers = [
            ground.reactor.callLater(request.app.start_timeout, self._timed_out)
        ]

    def begin(self) -> None:
        """Make the descriptors and send the spawn down."""
        request = self._request
        path = self._ground.socket_path(request.number)
        try:
            self._descriptors = make(path, request.route, request.app.uid)
        except OSError as error:
            self._fail(SYSTEM, f"the controller can't prepare a spawn: {error}")
            return
        self._handshake = Handshake(
            self._ground.reactor, self._descriptors.handshake, self
        )
        try:
            self._ground.send(request, self._descriptors.sent)
        except OSError as error:
            self._fail(SYSTEM, str(error))
            return
        self._descriptors.close_sent()
        self._watch.start(self._handshake)

    def record_came(self, record: Record) -> None:
        """A process of the spawn says something."""
        self._watch.heard()
        if isinstance(record, StepRecord):
            self.journey.add(record)
        elif isinstance(record, StartedRecord):
            self._started(record)
        elif isinstance(record, ReadyRecord):
            self._ready(record)
        elif isinstance(record, FindingRecord):
            self._found(record)
        else:
            self._reported(record)

    def handshake_broke(self, error: BadFrame | None) -> None:
        """Everybody who held the spawn is gone, or one wrote nonsense."""
        self._watch.stop()
        if error is not None:
            self._fail(APP_ERROR, f"something wrote to the handshake socket: {error}")
            return
        if self._handshake is not None:
            self._handshake.close()
        if self._child is None:
            self._layer_died()
            return
        # The process closes its descriptors a moment before its exit status
        # can be had.
        self._child.when_exited().addCallback(self._died)
        self._timers.append(
            self._ground.reactor.callLater(GONE_WITHIN, self._closed_handshake)
        )

    # --- what the records lead to ---------------------------------------------

    def _started(self, record: StartedRecord) -> None:
        descriptors = self._descriptors
        if descriptors is None or record.who not in descriptors.kept:
            return
        kept = descriptors.kept[record.who]
        if kept.output < 0:
            return  # said twice
        reactor, app = self._ground.reactor, self._request.app.name
        rate = self._ground.output_rates.of(app)
        output = Output(reactor, kept.output, app, record.who, rate)
        stacks = Stacks(reactor, kept.stacks, app, record.who, record.pid)
        kept.output = kept.stacks = -1
        output.pid = record.pid
        self._outputs.append(output)
        self._ground.keep(output, stacks)
        if record.who != WORKER:
            del descriptors.kept[record.who]
            self._ground.spawner_processes.add(
                record.who, record.pid, self._request, kept, output, stacks
            )
            self._starting = self._ground.spawner_processes.find(record.pid)
            if record.who == APP and FRAMEWORK in self._request.route:
                self._ground.spawner_processes.forked(FRAMEWORK, self._request)
            return
        self._stacks = stacks
        self._starting = None
        for layer in self._request.route[-1:]:
            self._ground.spawner_processes.forked(layer, self._request)
        self._watch.stop()
        try:
            child = self._ground.children.adopt(record.pid, self._request.app.uid)
        except NotOurChild as error:
            self._fail(INTERNAL, f"the worker's pid is not to be believed: {error}")
            return
        self._child = child
        started = StartingWorker(child, stacks)
        self._ground.starting_workers[self._request.number] = started

    def _ready(self, record: ReadyRecord) -> None:
        descriptors = self._descriptors
        stacks, child = self._stacks, self._child
        if (
            child is None
            or stacks is None
            or descriptors is None
            or (record.pid != child.pid)
        ):
            self._fail(
                APP_ERROR,
                f"process {record.pid} says it is ready but is not the worker",
            )
            return
        if self._handshake is not None:
            self._handshake.close()
        for layer in self._request.route:
            if layer in descriptors.kept:  # that spawner was there already
                descriptors.kept.pop(layer).close()
        self.journey.finish(time.monotonic())
        worker = Worker(
            child,
            record,
            descriptors,
            stacks,
            "",
            time.monotonic() - self._decided,
            self.journey.steps(),
            tuple(self._findings),
        )
        self._stop_timers()
        # The worker's from now on.  We are in a cycle with our Deferred, and what
        # is held here would stay open until somebody collects garbage.
        self._descriptors = self._child = None
        self.done.callback(worker)

    def _found(self, record: FindingRecord) -> None:
        if len(self._findings) == MAX_FINDINGS:
            return
        finding = Finding(
            record.token, record.text, record.level, record.place, record.hint
        )
        self._findings.append(finding)
        if finding.level == WARNING:
            # Here and not in status: nothing is decided by it.
            _log.warn(
                "app {app}: {finding} {hint}",
                app=self._request.app.name,
                finding=finding.sentence(),
                hint=finding.hint,
            )

    def _reported(self, record: FailedRecord) -> None:
        self._fail(
            record.category,
            record.summary,
            record.advice,
            # The detail of unsafe-fork is the findings.
            record.detail,
            record.scene,
        )

    def _layer_died(self) -> None:
        """Find out how, if its parent lives to tell."""
        step = self.journey.last()
        if step is None or step.who not in (FRAMEWORK, APP):
            self._layer_gone(None)
            return
        told = self._ground.spawner_processes.when_exit_told(step.pid)
        self._exit_told = told
        self._timers.append(
            self._ground.reactor.callLater(GONE_WITHIN, self._layer_gone, None)
        )
        told.addCallbacks(self._layer_gone, lambda _: None)

    def _layer_gone(self, status: ExitStatus | None) -> None:
        step = self.journey.last()
        if step is None:
            self._fail(LAYER_DIED, "a process of the spawn server died at once")
        elif step.who == APP and status is not None and status.code is not None:
            # Not by a signal: code of the app ended the process it ran in.
            self._end_of_process(f"step {step.name} (app spawner {step.pid})", status)
        else:
            how = "died" if status is None else status.describe()
            self._fail(
                LAYER_DIED,
                f"step {step.name} ({step.who} spawner {step.pid}): a process of "
                f"the spawn server {how}",
            )

    def _died(self, status: ExitStatus) -> None:
        step = self.journey.last()
        assert self._child is not None
        own = step is not None and step.pid == self._child.pid
        name = step.name if step is not None and own else "start"
        self._end_of_process(f"step {name} (worker {self._child.pid})", status)

    def _end_of_process(self, where: str, status: ExitStatus) -> None:
        # Not ours: what we kill is of an attempt that has failed already.
        killed = status.signal == signal.SIGKILL
        self._fail(
            LAYER_DIED if killed else APP_ERROR,
            f"{where}: the process {status.describe()}",
            "Does the app, or a library of it, end the process by itself?",
        )

    def _hangs(self, holder: Holder) -> None:
        self._fail(
            LAYER_DIED,
            f"{holder.who} held the spawn for {patience_for(self._request):g} s and "
            "did nothing, so it was ended",
            kind=SpawnerHung if holder.is_spawner else SpawnError,
        )

    def _closed_handshake(self) -> None:
        self._fail(
            APP_ERROR,
            "the worker lives on but has closed its handshake socket",
            "Does the app close all descriptors, or turn itself into a daemon?",
        )

    def _timed_out(self) -> None:
        step = self.journey.last()
        seconds = self._request.app.start_timeout
        where = f"step {step.name} ({step.who} {step.pid})" if step else "the spawn"
        # A spawner that hangs is of no use to the next spawn either.
        spawners = self._ground.spawner_processes
        if step is not None and (found := spawners.find(step.pid)):
            found.kill()
        spawners.kill_app(self._request.app.name)
        summary = f"{where} was not done {seconds:g} s after the start"
        self._fail(TIMEOUT, summary, advice_on_timeout(step))

    # --- the end --------------------------------------------------------------

    def _fail(
        self,
        category: str,
        summary: str,
        advice: str = "",
        detail: str = "",
        scene: Scene | None = None,
        kind: type[SpawnError] = SpawnError,
    ) -> None:
        if self.done.called:
            return
        self.journey.fail(time.monotonic())
        output = "\n".join(o.tail() for o in self._outputs if o.tail())
        self._abort()
        app = self._request.app
        if not summary.startswith(f"app {app.name}"):
            summary = f"app {app.name}: {summary}"
        # What the processes of the app say is masked already; their output is not.
        mask = masker(app)
        self.done.errback(
            kind(
                category,
                mask(summary),
                mask(advice),
                mask(detail),
                self.journey.steps(),
                mask(output),
                tuple(self._findings),
                scene or outer_scene(app),
            )
        )

    def _cancelled(self) -> None:
        # Nobody would ever end one that hangs while it loads the app; a spawn
        # that shares it tries again with another.
        if self._starting is not None:
            self._starting.kill()
        self._abort()

    def _abort(self) -> None:
        """End whatever was started for this attempt."""
        self._stop_timers()
        if self._exit_told is not None:
            self._exit_told.cancel()
        if self._handshake is not None:
            self._handshake.close()
        if self._child is not None:
            self._child.kill()
        if self._descriptors is not None:
            self._descriptors.close()
            self._descriptors = None

    def _stop_timers(self) -> None:
        self._watch.stop()
        for timer in self._timers:
            if timer.active():
                timer.cancel()
