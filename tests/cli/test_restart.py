"""`passtwist restart`: what it says; what it does is shown with real servers."""

from __future__ import annotations

import pytest
from click import ClickException
from click.testing import CliRunner

from passtwist.cli import restart as command
from passtwist.cli.admin_client import WhichServer
from passtwist.cli.restart import described

ANSWER = {
    "app": "shop",
    "after": 3,
    "state": "restarting",
    "generation": 4,
    "replaced": 0,
    "left": 3,
    "seconds": 1.25,
    "serving": 0,
    "workers": [],
    "error": None,
}
ERROR = {
    "category": "app-error",
    "summary": "app shop: it\n\x1b[31m failed",
    "advice": "",
    "detail": "Traceback",
    "id": "0badc0de",
}


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"state": "asked"}, "waiting for the restart to begin"),
        ({}, "starting the first worker with new code"),
        (
            {"replaced": 1, "left": 2, "workers": [7]},
            "replaced 1 of 3, by worker 7",
        ),
        ({"workers": [7, 8]}, "replaced 0 of 3, by workers 7, 8"),
        (
            {"state": "finished", "workers": [7, 8]},
            "done in 1.2 s, generation 4: workers 7, 8",
        ),
        (
            {"state": "finished", "seconds": 0.0},
            "done in 0 ms, generation 4; it has no workers now",
        ),
    ],
)
def test_how_it_goes(facts, text):
    """One line for each stage."""
    assert described({**ANSWER, **facts}) == text


def test_why_it_failed():
    """In lines of our own: what an app raised must not steer the terminal."""
    answer = {**ANSWER, "state": "failed", "serving": 2, "error": ERROR}
    assert described(answer).splitlines() == [
        "the new code does not serve; workers that go on with the old: 2",
        "  app shop: it ?[31m failed",
        "  More is in the log, by the error id 0badc0de.",
    ]


def test_why_it_does_not_get_on():
    """New code serves, but one more worker with it does not start."""
    going = {"replaced": 1, "left": 2, "workers": [7], "error": ERROR}
    assert described({**ANSWER, **going}).splitlines() == [
        "replaced 1 of 3, by worker 7; the next one did not start, and is tried again",
        "  app shop: it ?[31m failed",
        "  More is in the log, by the error id 0badc0de.",
    ]


def test_advice_is_given_and_nobody_may_be_left():
    error = {**ERROR, "summary": "app shop: no", "advice": "Mend it."}
    answer = {**ANSWER, "state": "failed", "error": error}
    assert described(answer).splitlines()[:3] == [
        "the new code does not serve",
        "  app shop: no",
        "  Mend it.",
    ]


def test_who_interrupts_the_waiting_is_told_that_the_restart_goes_on(monkeypatch):
    """The exit status is that of a failure: nobody knows how it ends."""

    def interrupted(*args):
        raise KeyboardInterrupt

    page = {"apps": [{"name": "shop"}]}
    monkeypatch.setattr(command, "ask", lambda *args: page)
    monkeypatch.setattr(command, "order", lambda *args: ANSWER)
    monkeypatch.setattr(command, "follow", interrupted)
    done = CliRunner().invoke(command.restart, ["shop", "--wait"])
    assert (done.exit_code, done.stdout) == (
        1,
        "shop: the restart goes on; passtwist status says how\n",
    )


def test_a_restart_that_is_forgotten_is_not_waited_for(monkeypatch):
    """The server, or the app, is another one that only has the same name."""
    monkeypatch.setattr(command, "ask", lambda *args: {**ANSWER, "state": "asked"})
    with pytest.raises(ClickException, match="restart of shop is no more"):
        command.follow("shop", ANSWER, WhichServer())
