"""The page of a run: head, summary, a section for each measure, command lines."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import stats
from benchmarks.report.numbers import (
    NOTHING,
    beside,
    cell,
    head,
    percent,
    table,
    times,
    with_unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measures.base import Measure
    from benchmarks.results import Results
    from benchmarks.stats import Table

HOW_TO_READ = (
    "↑: more is better, ↓: less is better. "
    "Figures are medians of rounds in which the servers took turns. "
    '"Times as good" is the median of ratios within a round: 2 is twice the rate, or '
    "half the time or memory; in brackets the lowest and the highest. "
    "The best peer is the server other than passtwist with the best median. "
    "Compare within a table; figures of another machine mean something else."
)

KINDS = {
    "missing": "not installed",
    "not yet": "passtwist has not got it yet",
    "none": "has no such thing",
    "failed": "failed",
}


def page(
    results: Results, measures: Sequence[Measure], pictures: Mapping[str, Sequence[str]]
) -> str:
    """Markdown.

    :param pictures: names of files to show, by name of the measure.
    """
    found = stats.tables(results, measures)
    lines = [
        *opening(results, found),
        *not_taken(found, measures),
        "",
        "## Summary",
        "",
        *summary(results, found),
        "",
        *sections(results, found, pictures),
        *commands(results),
    ]
    return "\n".join(lines)


def opening(results: Results, found: Iterable[Table]) -> list[str]:
    """What ran where, and how far to trust it."""
    kind = "quick run, one server of each kind," if results.quick else "full run"
    machine = ", ".join(f"{key} {value}" for key, value in results.machine.items())
    versions = ", ".join(
        f"{family} {version}" for family, version in sorted(results.versions.items())
    )
    return [
        "# Benchmarks",
        "",
        f"A {kind} of {results.date}, {results.seconds / 60:.1f} minutes.",
        "",
        f"- Machine: {machine}",
        f"- Versions: {versions}",
        f"- Noise: {verdict(stats.noise(found))}",
        "",
        HOW_TO_READ,
    ]


def not_taken(found: Iterable[Table], measures: Iterable[Measure]) -> list[str]:
    """What a part of a run, or a quick one, leaves out."""
    taken = {one.measure.name for one in found}
    titles = [one.title for one in measures if one.name not in taken]
    return ["", f"Not measured in this run: {'; '.join(titles)}."] if titles else []


def verdict(spread: float | None) -> str:
    """How far to trust a run."""
    if spread is None:
        return "unknown; nothing steady was measured in two rounds."
    kept = f"the rounds of nine rows in ten lie within {percent(spread)}"
    if spread <= stats.TOO_WIDE:
        return f"{kept}; smaller differences mean nothing."
    return (
        f"**the machine was too busy**: {kept}. "
        f"Trust no difference smaller than that, and no row marked ~; run it again."
    )


def summary(results: Results, found: Iterable[Table]) -> list[str]:
    """passtwist beside Passenger and the best peer, a row a table.

    One and the same passtwist in all rows: the best of six kinds in each would be
    whichever was lucky.
    """
    peers = stats.peers(results)
    ours = {one.server for one in results.samples if stats.is_ours(one.server)}
    rows = []
    for one in found:
        column = one.measure.columns[0]
        best = one.first([stats.HEADLINE]) or one.first(ours)
        if best is None or not column.better:
            continue
        passenger = best.beside_passenger.get(column.key)
        peer = best.beside_best_peer.get(column.key)
        rows.append(
            [
                f"{one.measure.title}{': ' if one.title else ''}{one.title}",
                head(column),
                with_unit(best, column),
                with_unit(one.first([stats.PASSENGER]), column),
                with_unit(one.first(peers), column),
                times(passenger.times if passenger else None),
                times(peer.times if peer else None),
            ]
        )
    if not rows:
        return ["passtwist was not measured."]
    heads = ["", "Figure", "passtwist", "Passenger", "Best peer"]
    return table(
        [*heads, "Times as good as Passenger", "Times as good as best peer"], rows
    )


def sections(
    results: Results, found: Iterable[Table], pictures: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    """One for each measure: its tables and pictures."""
    for measure, group in groupby(found, key=lambda one: one.measure):
        yield from (f"## {measure.title}", "", measure.about, "")
        for name in pictures.get(measure.name, ()):
            yield from (f"![{measure.title}]({name})", "")
        for one in group:
            if one.title:
                yield from (f"### {one.title}", "")
            yield from rows_of(one)
            yield from named_ratios_of(one)
            yield from ratios_of(one)
            yield from absences_of(one, left_out(one, results))


def rows_of(one: Table) -> Iterable[str]:
    """The figures, the best server first."""
    if not one.rows:
        return
    columns = one.measure.columns
    heads = ["Server", *map(head, columns), "Times Passenger", "Times best peer", "±"]
    rows = []
    for row in one.rows:
        first = columns[0].key
        passenger = row.beside_passenger.get(first)
        peer = row.beside_best_peer.get(first)
        spread = row.figures[first].spread if first in row.figures else None
        name = f"**{row.server}**" if stats.is_ours(row.server) else row.server
        rows.append(
            [
                f"{name} ~" if row.noisy else name,
                *(cell(row, column) for column in columns),
                times(passenger.times if passenger else None),
                times(peer.times if peer else None),
                percent(spread),
            ]
        )
    yield from table(heads, rows)
    yield ""


def named_ratios_of(one: Table) -> Iterable[str]:
    """How ours compare with each peer that the measure names, a line for each."""
    for row in one.rows:
        if row.beside_each:
            ratios = ", ".join(beside(each) for each in row.beside_each)
            title = one.measure.columns[0].title
            yield from (f"**{row.server}**, {title}, times as good: {ratios}.", "")


def ratios_of(one: Table) -> Iterable[str]:
    """How ours compare in the columns but the first, whose ratios stand above."""
    columns = [column for column in one.measure.columns[1:] if column.better]
    rows = [
        [f"**{row.server}**", column.title, beside(passenger), beside(peer)]
        for row in one.rows
        if stats.is_ours(row.server)
        for column in columns
        for passenger in [row.beside_passenger.get(column.key)]
        for peer in [row.beside_best_peer.get(column.key)]
        if passenger or peer
    ]
    if rows:
        yield from ("Times as good in the other columns:", "")
        yield from table(["Server", "Figure", "Passenger", "Best peer"], rows)
        yield ""


def left_out(one: Table, results: Results) -> list[str]:
    """Who took part in the run, but neither has a row here nor a reason."""
    told = {row.server for row in one.rows}
    for absence in results.absences:
        if absence.measure == one.measure.name and absence.case in ("", one.case):
            told.add(absence.server)
    return [name for name in results.commands if name not in told]


def absences_of(one: Table, others: Sequence[str]) -> Iterable[str]:
    """Who is not in the table, and why."""
    for absence in one.absences:
        kind = KINDS.get(absence.kind, absence.kind)
        reason = " ".join(absence.reason.split())
        yield f"- {absence.server or 'all servers'}: {kind}: {reason or NOTHING}"
    if others:
        yield f"- left out, for the run to be short: {', '.join(others)}"
    if one.absences or others:
        yield ""


def commands(results: Results) -> Iterable[str]:
    """How each server was started, with which files, and what to know of it."""
    yield from ("## Command lines", "")
    yield "SITE is the folder of the application, SCRATCH an empty one for the server."
    yield ""
    for name, command in results.commands.items():
        yield from (f"### {name}", "")
        remark = results.notes.get(name)
        if remark:
            yield from (remark, "")
        yield from ("```console", f"$ {command}", "```", "")
