"""Whether a loaded app may be forked: watch it load, audit it, try it.

Runs in: app spawners; framework spawners, for what they load.
"""

from __future__ import annotations

import os
from typing import Iterable, List, Sequence

from passtwist.model import APP, FRAMEWORK, UNSAFE, UNSAFE_FORK, AppSpec, Finding
from passtwist.spawnserver import audit, self_test
from passtwist.spawnserver.audit_sources import Sources
from passtwist.wire.journey import FailedRecord
from passtwist.worker.journal import Journal
from passtwist.worker.process import STDERR

# An app that opens a thousand connections is not told of each.
MAX_FINDINGS = 20

_ADVICE = {
    APP: "Close it in a before_fork function, allow it with fork_allow, or "
    'use spawn_method = "conservative".',
    FRAMEWORK: "It is there before any app is loaded, so it is for the framework's "
    'plugin to mend; until then use spawn_method = "conservative".',
}


class UnsafeFork(Exception):
    """What was found must not be forked.

    :ivar findings: all of it that is unsafe and not allowed.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        more = len(self.findings) - 1
        rest = "; and %d more" % more if more else ""
        super().__init__(self.findings[0].sentence() + rest)


def refusal(error: UnsafeFork, app: str, who: str, step: str) -> FailedRecord:
    """The record of a spawn that was refused for *error*.

    :param app: the app's name.
    :param who: the layer that has refused: APP or FRAMEWORK.
    """
    findings = tuple(one.sentence() for one in error.findings)
    return FailedRecord(
        who,
        os.getpid(),
        step,
        UNSAFE_FORK,
        "app %s can't be forked safely: %s" % (app, error),
        _ADVICE[who],
        detail="\n".join(findings),
        findings=findings,
    )


class ForkSafety:
    """Watches from when it is made, which is before the app is loaded."""

    def __init__(self, spec: AppSpec) -> None:
        self._allowed = spec.fork_allow
        self._before = audit.Sight()
        self._sources = Sources(spec.root)
        self._sources.start()
        self._is_loading = True
        os.register_at_fork(after_in_child=self._become_copy)

    def _become_copy(self) -> None:
        """In a process that the app forks while it is loaded: close what is ours.

        As long as it had them, nobody would see the end of this process, and a
        connection to the socket of a dead worker would still succeed.
        """
        if self._is_loading:
            for number in self._before.descriptors:
                if number > STDERR:
                    try:
                        os.close(number)
                    except OSError:
                        pass  # closed by the app, or the listing's own

    def audit(self, journal: Journal) -> None:
        """Look at what the app has made, and stop watching.

        :raises UnsafeFork: something that is not allowed.
        """
        self._is_loading = False
        findings = audit.findings(self._before, self._sources)
        self._sources.stop()
        self._judge(findings, journal, self._allowed)

    def test(self, journal: Journal) -> None:
        """Let a forked copy do what workers do.

        :raises UnsafeFork: it fails or hangs, and that is not allowed.
        """
        finding = self_test.run()
        self._judge([] if finding is None else [finding], journal, self._allowed)

    def audit_framework(self, journal: Journal) -> None:
        """The same for a framework spawner, whose copies load apps.

        What is found here an app spawner could not tell from its own.  It
        concerns more than one app, so no app can allow it, and warnings are
        left to them.

        :raises UnsafeFork: something is unsafe.
        """
        self._is_loading = False
        findings = audit.findings(self._before, self._sources)
        self._sources.stop()
        self._judge([one for one in findings if one.level == UNSAFE], journal, ())

    def _judge(
        self, findings: List[Finding], journal: Journal, allowed: Sequence[str]
    ) -> None:
        reported = [one for one in findings if not audit.is_allowed(one, allowed)]
        del reported[MAX_FINDINGS:]
        for finding in reported:
            journal.found(finding)
        refused = [one for one in reported if one.level == UNSAFE]
        if refused:
            raise UnsafeFork(refused)
