"""The exception tree of passtwist.

Runs in: every process.  Standard library only, Python 3.9 and newer.

Two rules: an error names the guilty, the place and the remedy; and `None`
means "not mine" while an exception means "mine, and broken".
"""

from __future__ import annotations

import os


class PasstwistError(Exception):
    """Base of everything that passtwist raises on purpose."""


# --- what an operator or app author can mend ---------------------------------


class StartupError(PasstwistError):
    """The server cannot start (runtime directory, sockets, lock, privileges)."""


class DetectionError(PasstwistError):
    """A folder is not an application that any installed framework knows."""


class SettingsError(PasstwistError):
    """One or more settings are wrong; all of them are reported at once.

    :ivar problems: one line for each wrong key: the key, what is wrong, what
        would be right.
    :ivar source: the file or command line they came from.
    """

    def __init__(self, problems: list[str], source: str = "") -> None:
        self.problems = list(problems)
        self.source = source
        where = " in " + source if source else ""
        count = len(self.problems)
        head = "%d problem%s%s" % (count, "" if count == 1 else "s", where)
        super().__init__("\n".join([head + ":"] + ["  " + p for p in self.problems]))


class PluginError(PasstwistError):
    """A plugin broke a promise.

    :ivar plugin: the name under which it is registered.
    :ivar distribution: the installed distribution it came from, or the file.
    :ivar hook: the hook or interface at fault.
    """

    def __init__(self, plugin: str, distribution: str, hook: str, cause: str) -> None:
        self.plugin = plugin
        self.distribution = distribution
        self.hook = hook
        self.cause = cause
        super().__init__(
            "plugin %r (from %s): %s: %s" % (plugin, distribution, hook, cause)
        )


# --- what one side of a protocol did to the other -----------------------------


class WireError(PasstwistError):
    """Bytes on an internal socket do not follow our protocol."""


class FrameTooLarge(WireError):
    """A frame announces more bytes than its limit allows."""


class BadFrame(WireError):
    """A frame's type, flags or payload make no sense."""


class VersionMismatch(WireError):
    """The two ends of a control channel speak different versions."""


class ForgedEnviron(WireError):
    """A CGI pair holds a NUL byte; sent on, it would add pairs of its own."""


# --- spawning -----------------------------------------------------------------


class SpawnError(PasstwistError):
    """A worker could not be started.

    :ivar category: one of `passtwist.model.SPAWN_FAILURES`.
    :ivar summary: one sentence: app, step, process, what was raised.
    :ivar advice: what the app's author or operator can do, or "".
    :ivar detail: more lines (a traceback), or "".
    :ivar journey: the recorded steps (`passtwist.model.Step`), oldest first.
    :ivar output: the last lines that the process printed, or "".
    :ivar findings: the fork-safety audit's (`passtwist.model.Finding`).
    :ivar scene: where it failed (`passtwist.model.Scene`), or None.
    :ivar id: of this failure, for visitors to quote: on the page and in the log.
    """

    def __init__(
        self,
        category: str,
        summary: str,
        advice: str = "",
        detail: str = "",
        journey: tuple[object, ...] = (),
        output: str = "",
        findings: tuple[object, ...] = (),
        scene: object = None,
    ) -> None:
        self.id = os.urandom(4).hex()
        self.category = category
        self.summary = summary
        self.advice = advice
        self.detail = detail
        self.journey = journey
        self.output = output
        self.findings = findings
        self.scene = scene
        super().__init__(summary if not advice else summary + " " + advice)


# --- the pool -----------------------------------------------------------------


class IllegalTransition(PasstwistError):
    """A state machine was told something that cannot happen in its state."""

    def __init__(self, machine: str, state: object, event: object) -> None:
        self.machine = machine
        self.state = state
        self.event = event
        super().__init__("%s: %s cannot happen in state %s" % (machine, event, state))
