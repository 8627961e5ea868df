"""Whatever goes wrong in the simulated world, no request is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmarks.simulation.agenda import Agenda
from benchmarks.simulation.faulty import EVERYTHING
from benchmarks.simulation.landscape import Landscape, Size, pool_limits
from benchmarks.simulation.ledger import CUT, SERVED, Ledger, WrongAnswer
from benchmarks.simulation.nature import Faults, Nature, Rates
from benchmarks.simulation.recording import RecordedPool, play
from benchmarks.simulation.traffic import Mixture, Popularity, source
from passtwist.pool import Pool
from passtwist.pool.invariants import check

ROOT = Path(__file__).resolve().parents[2]
SMALL = Size(apps=20, workers=40, requests=4000, checks=400)
OVERDUE = "refused with 504"
CALM = Nature(service=Mixture(fast=0.3, slow=5.0, slow_share=0.2))


def outcome(landscape):
    """All that a run leaves behind."""
    ledger = landscape.world.ledger
    return (ledger.answers, landscape.world.notices, list(map(repr, ledger.waits)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_request_has_one_answer_while_everything_goes_wrong(seed):
    """The invariants hold, the pool drains, and nobody waits for a minute."""
    landscape = Landscape(SMALL, EVERYTHING, seed)
    ledger = landscape.run().ledger
    assert ledger.answers.total() == SMALL.requests
    assert ledger.unanswered == {}
    assert landscape.checked > 300
    assert ledger.longest < 60


def test_without_faults_every_request_is_served():
    """But where an app has set a limit to waiting; and no worker dies."""
    landscape = Landscape(SMALL, CALM, seed=1)
    ledger = landscape.run().ledger
    assert set(ledger.answers) <= {SERVED, OVERDUE}
    assert ledger.answers[OVERDUE] < SMALL.requests / 100
    assert landscape.world.notices["WorkerDied"] == 0


@pytest.mark.parametrize("name", [each.name for each in fields(Rates)])
def test_each_disturbance_alone_costs_nobody_an_answer(name):
    """Only deaths cut requests off, and only a removed app refuses any.

    Apart from those that set a limit to waiting.
    """
    size = replace(SMALL, requests=1500, checks=100)
    nature = replace(CALM, rates=replace(Rates(), **{name: 0.02}))
    answers = Landscape(size, nature, seed=1).run().ledger.answers
    allowed = {"killed": {CUT}, "lost": {CUT}, "replaced": {"refused with 503"}}
    allowed["memory_sampled"] = {CUT}  # hard_memory_limit
    assert answers.keys() - {SERVED, OVERDUE} <= allowed.get(name, set())
    assert answers.total() == size.requests


def test_bad_code_of_a_deployment_costs_nobody_an_answer():
    """What an app began with goes on serving; each of these keeps a worker."""
    faults, rates = Faults(bad_code=1.0), Rates(restarted=0.05)
    nature = replace(CALM, faults=faults, rates=rates)
    size = Size(apps=3, workers=12, requests=2000, checks=200)
    world = Landscape(size, nature, seed=1).run()
    assert world.ledger.answers == {SERVED: size.requests}
    assert world.notices["RestartFailed"] > 5
    assert world.notices["RestartFinished"] == 0


def test_good_code_of_a_deployment_serves_everywhere():
    """Restarts that nothing disturbs all come to their end."""
    nature = replace(CALM, rates=Rates(restarted=0.05))
    size = Size(apps=3, workers=12, requests=2000, checks=200)
    world = Landscape(size, nature, seed=1).run()
    assert world.ledger.answers == {SERVED: size.requests}
    assert world.notices["RestartFailed"] == 0
    ends = ("RestartFinished", "RestartSuperseded")
    began = world.notices["RestartBegan"]
    # The last ones may be under way when the server is shut down.
    assert 0 <= began - sum(world.notices[end] for end in ends) <= size.apps
    assert world.notices["RestartFinished"] > 5


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_starves_when_there_are_many_more_apps_than_places(seed):
    """Six apps for each place, which all of them need again and again."""
    size = Size(apps=60, workers=10, requests=3000, load=0.5, checks=100)
    ledger = Landscape(size, CALM, seed).run().ledger
    assert set(ledger.answers) <= {SERVED, OVERDUE}
    assert ledger.longest < 30


def test_the_same_seed_gives_the_same_run_and_another_another():
    """To the last wait."""
    size = replace(SMALL, checks=0)
    runs = [Landscape(size, EVERYTHING, seed) for seed in (5, 5, 6)]
    for landscape in runs:
        landscape.run()
    first, again, other = map(outcome, runs)
    assert first == again
    assert first != other


def test_the_output_does_not_depend_on_hash_seeds():
    """Two interpreters print the same, but for how long it took."""
    printed = []
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "benchmarks.simulation", "--quick"]
        done = subprocess.run(
            [*command, "--seed", "7", "--part", "faults"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=100,
        )
        printed.append(done.stdout.rsplit("\n\n", 1)[0])
    assert printed[0] == printed[1]
    assert "Every request had exactly one answer" in printed[0]


def test_a_record_makes_another_pool_do_the_same():
    """Played without the world around it, it leaves the same pool behind."""
    size = replace(SMALL, checks=0)
    landscape = Landscape(size, EVERYTHING, 1, RecordedPool)
    landscape.run()
    twin = Pool(pool_limits(SMALL))
    play(twin, landscape.pool.record)
    check(twin, landscape.world.agenda.now)
    assert twin.view() == landscape.pool.view()


def test_the_books_notice_a_request_that_is_answered_twice():
    """Or begun twice, or never answered."""
    ledger = Ledger()
    one, _ = ledger.ask("a", 0.0), ledger.ask("a", 1.0)
    ledger.begin(one, 2.0)
    with pytest.raises(WrongAnswer, match="begun a second time"):
        ledger.begin(one, 3.0)
    ledger.answer(one, SERVED, 4.0)
    with pytest.raises(WrongAnswer, match="answered a second time"):
        ledger.answer(one, SERVED, 5.0)
    with pytest.raises(WrongAnswer, match="1 requests have no answer"):
        ledger.close()
    assert ledger.begun_waits() == [2.0]


def test_things_at_the_same_time_happen_in_the_order_of_planning():
    """And what is planned for the past happens now."""
    agenda, done = Agenda(), []
    agenda.at(2.0, done.append, "second")
    agenda.at(1.0, agenda.at, 0.5, done.append, "late")
    agenda.at(1.0, done.append, "first")
    while agenda.step():
        pass
    assert done == ["first", "late", "second"]
    assert agenda.now == 2.0


def test_popularity_follows_zipf():
    """The first app is asked for twice as often as the second."""
    popularity = Popularity(["a", "b", "c"])
    assert popularity.shares == pytest.approx([6 / 11, 3 / 11, 2 / 11])
    chance = source(1, "choices")
    drawn = [popularity.draw(chance) for _ in range(11_000)]
    assert drawn.count("a") == pytest.approx(6000, rel=0.05)
