"""A measure and results that nobody measured."""

from __future__ import annotations

from benchmarks.measures import Measure
from benchmarks.results import Absence, Column, Results, Sample


class Speed(Measure):
    """Figures of both directions, and one without."""

    name = "speed"
    title = "Speed"
    about = "How fast it is."
    columns = (
        Column("rate", "Requests/s", "/s", better="more", steady=True),
        Column("wait", "Wait", "ms"),
        Column("errors", "Errors", "", better=""),
    )
    cases = (("short", "Short way"), ("long", "Long way"))

    def take(self, bench):
        """Nothing: the samples are made up."""


SPEED = Speed()


def sample(server, turn, rate, wait=1.0, case="short"):
    """One turn's figures."""
    values = {"rate": rate, "wait": wait, "errors": 0}
    return Sample("speed", case, server, turn, values)


def results(*samples, absences=(), without_command=(), also=(), **more):
    """A run with these samples; servers have commands but for some, and also others."""
    servers = dict.fromkeys(one.server for one in samples)
    commands = {
        name: f"{name.replace(' ', '-')} --port=PORT"
        for name in servers
        if name not in without_command
    }
    return Results(
        date="2026-01-02 03:04",
        seconds=90.0,
        machine={"processors": "2", "processor": "Abacus"},
        versions={"passtwist": "0.1", "passenger": "6.0"},
        commands=commands | dict.fromkeys(also, "run it"),
        samples=list(samples),
        absences=[Absence("speed", *one) for one in absences],
        **more,
    )


def usual(**more):
    """Three servers in three rounds; a fourth is missing."""
    return results(
        *(
            sample(server, turn, rate * louder, wait / louder)
            for turn, louder in enumerate((1.0, 1.1, 0.9))
            for server, rate, wait in (
                ("passtwist smart", 200.0, 10.0),
                ("passenger builtin", 100.0, 30.0),
                ("uwsgi", 400.0, 4.0),
            )
        ),
        absences=[("short", "granian", "missing", "pip install granian")],
        **more,
    )
