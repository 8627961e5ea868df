"""Every row of the requirements: split at every byte, on sockets, beside h11."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor, task

from passtwist.http.config import Site
from tests.http.oracle import (
    MARKER,
    SEEN_MARKER,
    hello,
    read_by_h11,
    seen_by,
    statuses_in,
)
from tests.http.requirements import (
    AGREES,
    CASES,
    ELSEWHERE,
    LENIENT,
    REQUIREMENTS,
    RULINGS,
    STRICT,
    Case,
)

TESTS = Path(__file__).parents[1]
# A case of several rows is run with the first.
ROWS = sorted({case.rows[0] for case in CASES})
# Of a longer case, only so many places are tried.
PLACES = 200


def expected(case, marker: bool):
    """Statuses, what the app sees, and whether the connection stays."""
    if marker and case.open:
        return (
            [*case.statuses, case.statuses[-1]],
            (*case.seen, SEEN_MARKER),
            True,
        )
    return [*case.statuses], case.seen, case.open or not case.finished


def exchange(bench, *pieces: bytes):
    """The same as it turns out, and all that came back."""
    client = bench.connect()
    bench.pool.sessions.clear()
    data = b"".join([client.send(piece) for piece in pieces])
    open_still = not client.closed
    client.leave()
    bench.clients.clear()
    return (
        [int(one) for one in statuses_in(data)],
        seen_by(bench.pool),
        open_still,
        data,
    )


def prepared(bench, case):
    bench.configure(Site("shop", max_body=case.max_body), **case.limits)
    bench.pool._answer = case.answer or hello
    return bench


def cases_of(row: str) -> list[Case]:
    return [case for case in CASES if case.rows[0] == row]


@pytest.mark.parametrize("row", ROWS)
def test_as_it_is_written(bench, row):
    """What comes back, what the app is told, and that nothing comes undated."""
    for case in cases_of(row):
        *found, data = exchange(prepared(bench, case), case.sent)
        assert tuple(found) == expected(case, marker=False), case.name
        assert data.count(b"\r\nDate: ") == len(case.statuses), case.name
        assert [text for text in case.says if text not in data] == [], case.name
        assert [text for text in case.never if text in data] == [], case.name
        if case.environ:
            environ = bench.pool.last.environ
            found = {name: environ.get(name) for name in case.environ}
            assert found == case.environ, case.name


@pytest.mark.parametrize("row", ROWS)
def test_split_at_every_byte(bench, row):
    """With a request behind it that is answered only if the connection goes on."""
    for case in cases_of(row):
        prepared(bench, case)
        data = case.sent + (MARKER if case.finished else b"")
        wanted = expected(case, marker=case.finished)
        for cut in range(0, len(data), len(data) // PLACES + 1):
            *found, _ = exchange(bench, data[:cut], data[cut:])
            assert tuple(found) == wanted, (case.name, cut)
        *found, _ = exchange(bench, *(data[at : at + 1] for at in range(len(data))))
        assert tuple(found) == wanted, case.name


@pytest.mark.parametrize("row", ROWS)
@pytest_twisted.ensureDeferred
async def test_on_a_socket(real, row):
    """In one piece and in five; who is refused can read why (R34)."""
    for case in cases_of(row):
        await real.serve(site=Site("shop", max_body=case.max_body), **case.limits)
        real.pool._answer = case.answer or hello
        data = case.sent + (MARKER if case.open or is_refused(case) else b"")
        steps = [len(data)]
        # A client that ends a connection and sends on may be cut off.
        if case.open or is_refused(case) or not case.finished:
            steps.append(max(len(data) // 5, 1))
        for step in steps:
            await try_on_a_socket(real, case, data, step)
        await real.port.stopListening()
        real.port = None


def is_refused(case: Case) -> bool:
    return case.statuses[-1:] > (399,) and not case.open


async def try_on_a_socket(real, case: Case, data: bytes, step: int) -> None:
    """Send *data* in pieces of *step* bytes."""
    statuses, seen, open_still = expected(case, marker=True)
    real.pool.sessions.clear()
    client = await real.connect()
    for at in range(0, len(data), step):
        client.send(data[at : at + step])
        # So that a piece is read by itself; that must make no difference.
        await task.deferLater(reactor, 0)
    if not case.finished:
        client.transport.loseConnection()
    elif open_still:
        await client.until(lambda it: len(statuses_in(it.data)) == len(statuses))
        client.transport.loseConnection()
    received = await client.until_closed()
    while real.front.connections:
        await task.deferLater(reactor, 0)
    found = [int(one) for one in statuses_in(received)], seen_by(real.pool)
    assert found == (statuses, seen), case.name
    if is_refused(case):
        assert type(client.lost).__name__ == "ConnectionDone", case.name
        assert received.endswith(b"</html>\n"), case.name


@pytest.mark.parametrize("row", ROWS)
def test_beside_h11(row):
    """Where it differs the table says so, and the row why."""
    for case in cases_of(row):
        found, ours = read_by_h11(case.sent), case.seen
        if found == ours:
            verdict = AGREES
        else:
            verdict = LENIENT if found[: len(ours)] == ours else STRICT
        assert verdict == case.h11, case.name


def test_every_row_is_shown():
    """By a case, or by a test that is there."""
    rows = {*REQUIREMENTS, *RULINGS}
    assert {row for case in CASES for row in case.rows} | set(ELSEWHERE) == rows
    assert list(REQUIREMENTS) == [f"R{number:02d}" for number in range(1, 49)]
    for name in [name for names in ELSEWHERE.values() for name in names]:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (TESTS / file).read_text(), name


def test_every_case_has_its_own_name():
    """So that a failure names one."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
