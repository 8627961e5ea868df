"""What a process prints, and how much of it is logged."""

from __future__ import annotations

import os

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher

from passtwist.spawning.output import FLOOD_SIZE, MAX_LINE, PAUSE, Output
from passtwist.spawning.output_rate import BURST, PER_SECOND, OutputRates


@pytest.fixture
def lines():
    """What is logged, as text."""
    lines = []

    def observe(event):
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Printing:
    """Processes of apps that print, and a reactor that a test turns."""

    def __init__(self):
        self.reactor = MemoryReactorClock()
        self.rates = OutputRates(self.reactor.seconds)
        self.outputs = []
        self.pipes = []

    def start(self, app="shop", pid=7):
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        output = Output(self.reactor, reader, app, "worker", self.rates.of(app))
        output.pid = pid
        self.outputs.append(output)
        self.pipes.append(writer)
        return output, writer

    def turn(self):
        """One turn of the reactor."""
        for reader in list(self.reactor.getReaders()):
            reader.doRead()

    def stop(self):
        for output in self.outputs:
            output.close()
        for writer in self.pipes:
            os.close(writer)
        assert self.reactor.getDelayedCalls() == []
        assert self.reactor.getReaders() == []


@pytest.fixture
def printing():
    printing = Printing()
    yield printing
    printing.stop()


def test_each_line_is_logged_with_app_and_pid(printing, lines):
    """Whole lines; what is no UTF-8 is shown as what it is; an end without a line
    feed is a line, too.
    """
    output, writer = printing.start()
    os.write(writer, b"one\r\ntw")
    printing.turn()
    os.write(writer, b"o \xff\nthree")
    printing.turn()
    output.close()
    assert lines == [
        "App shop worker 7 output: one",
        "App shop worker 7 output: two \\xff",
        "App shop worker 7 output: three",
    ]
    assert output.tail() == "one\ntwo \\xff\nthree"


def test_a_line_without_end_is_cut(printing, lines):
    """It does not fill our memory."""
    _, writer = printing.start()
    for _ in range(3):
        os.write(writer, b"x" * MAX_LINE)
        printing.turn()
    assert lines == ["App shop worker 7 output: " + "x" * MAX_LINE] * 2


def test_of_a_flood_only_so_much_is_logged_and_the_rest_is_counted(printing, lines):
    """The last lines are remembered; nothing is read for a moment; it is told."""
    output, writer = printing.start()
    for number in range(BURST + 500):
        os.write(writer, b"%d\n" % number)
    while printing.reactor.getReaders():
        printing.turn()
    assert len(lines) == BURST + 1
    assert lines[BURST] == (
        "app shop prints more than 500 lines a second: 500 were not logged; with its "
        "own log_file all are kept"
    )
    assert lines[0] == "App shop worker 7 output: 0"
    assert printing.rates.dropped() == {"shop": 500}
    assert output.tail().splitlines()[-1] == str(BURST + 499)
    assert printing.reactor.getReaders() == []
    printing.reactor.advance(PAUSE)
    assert printing.reactor.getReaders() == [output]


def test_a_flood_that_goes_on_is_sampled(printing, lines):
    """So many lines a second, and one that says how many are missing."""
    _, writer = printing.start()
    flood = b"x\n" * (FLOOD_SIZE // 2)
    os.write(writer, flood)
    while printing.reactor.getReaders():
        printing.turn()
    lines.clear()
    before = printing.rates.of("shop").dropped
    for _ in range(int(2 / PAUSE)):
        try:
            os.write(writer, flood)
        except BlockingIOError:
            pass
        printing.reactor.advance(PAUSE)
    logged = [line for line in lines if line == "App shop worker 7 output: x"]
    assert 2 * PER_SECOND - 10 <= len(logged) <= 2 * PER_SECOND + 10
    assert printing.rates.of("shop").dropped - before > 10 * FLOOD_SIZE
    assert 1 <= len(lines) - len(logged) <= 3


def test_what_is_missing_at_the_end_of_a_flood_is_told_then(printing, lines):
    """Not with the next flood."""
    _, writer = printing.start()
    for _ in range(2):
        os.write(writer, b"x\n" * (BURST * 10))
        while printing.reactor.getReaders():
            printing.turn()
        while not printing.reactor.getReaders():
            printing.reactor.advance(PAUSE)
    told = [int(line.split()[9]) for line in lines if "not logged" in line]
    assert sum(told) == printing.rates.of("shop").dropped


def test_all_processes_of_an_app_have_one_limit(printing, lines):
    """And each app its own."""
    one, two, other = (printing.start(app)[1] for app in ("shop", "shop", "blog"))
    for writer in (one, two, other):
        os.write(writer, b"x\n" * (BURST - 10))
    printing.turn()
    logged = [line.split()[1] for line in lines if line.startswith("App")]
    assert (logged.count("shop"), logged.count("blog")) == (BURST, BURST - 10)
    assert printing.rates.dropped() == {"shop": BURST - 20}


def test_a_process_that_ends_within_its_flood_is_let_go(printing, lines):
    """Its end is noticed although nothing watches the pipe at that moment."""
    output, writer = printing.start()
    os.write(writer, b"x\n" * (BURST * 2))
    printing.turn()
    os.close(writer)
    printing.pipes.clear()
    while output.fileno() >= 0:
        printing.reactor.advance(PAUSE)
        printing.turn()
    assert printing.reactor.getReaders() == []
