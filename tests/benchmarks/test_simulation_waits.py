"""The simulated pool keeps the laws of queueing."""

from __future__ import annotations

from statistics import fmean

import pytest

from benchmarks.simulation import assignment, theory
from benchmarks.simulation.single_app import waits_in_pool
from benchmarks.simulation.traffic import Exponential, Mixture, Trace, poisson_trace
from benchmarks.simulation.waits import Waits, summary

SERVICE = 0.1
MIXED = Mixture(fast=0.005, slow=0.1, slow_share=0.1)


def exponential_trace(servers, load, count=100_000, seed=1):
    rate = load * servers / SERVICE
    return rate, poisson_trace(seed, count, rate, Exponential(SERVICE))


@pytest.mark.parametrize(
    ("servers", "offered", "waits"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (100, 0.0, 0.0)],
)
def test_erlang_s_formula_gives_what_textbooks_say(servers, offered, waits):
    """With one server, the chance to wait is the load."""
    assert theory.erlang_c(servers, offered) == pytest.approx(waits)


def test_one_server_in_turn_is_an_m_m_1():
    """The wait of an M/M/1 by the formula for Erlang's arrivals: load / (mu - l)."""
    assert theory.mean_wait_in_turns(1, 8.0, SERVICE) == pytest.approx(0.4)
    assert theory.mean_wait(1, 8.0, SERVICE) == pytest.approx(0.4)


def test_nobody_of_those_who_need_not_wait_is_in_the_last_percent():
    """Where less than one in a hundred waits, the 99th does not."""
    assert theory.wait_not_exceeded(0.99, 100, 1.0, SERVICE) == 0.0


@pytest.mark.parametrize(
    ("workers", "threads", "load"),
    [(1, 1, 0.5), (1, 1, 0.8), (2, 1, 0.8), (8, 1, 0.7), (2, 4, 0.7)],
)
def test_the_pool_makes_requests_wait_as_long_as_erlang_says(workers, threads, load):
    """Mean within twice its own 95 % interval, 99th percentile within a tenth."""
    servers = workers * threads
    rate, trace = exponential_trace(servers, load)
    found = summary(waits_in_pool(trace, workers, threads))
    mean = theory.mean_wait(servers, rate, SERVICE)
    p99 = theory.wait_not_exceeded(0.99, servers, rate, SERVICE)
    assert found.mean == pytest.approx(mean, abs=2 * found.error)
    assert found.error < mean / 5, "too few requests to tell"
    assert found.p99 == pytest.approx(p99, rel=0.1)


@pytest.mark.parametrize(("workers", "threads"), [(1, 1), (3, 1), (2, 3)])
def test_each_single_request_waits_as_in_one_queue_for_all(workers, threads):
    """Whatever the service times: nobody waits while there is room."""
    rate = 0.9 * workers * threads / MIXED.mean
    trace = poisson_trace(3, 5000, rate, MIXED)
    twin = assignment.central(trace, workers * threads)
    assert waits_in_pool(trace, workers, threads) == twin


def test_queues_of_their_own_are_as_long_as_theory_says():
    """At random each worker is an M/M/1; in turns it sees Erlang's arrivals."""
    rate, trace = exponential_trace(4, 0.7)
    at_random = summary(assignment.at_random(trace, 4, seed=1))
    in_turns = summary(assignment.in_turns(trace, 4))
    alone = theory.mean_wait(1, rate / 4, SERVICE)
    assert at_random.mean == pytest.approx(alone, abs=2 * at_random.error)
    orderly = theory.mean_wait_in_turns(4, rate, SERVICE)
    assert in_turns.mean == pytest.approx(orderly, abs=2 * in_turns.error)


def test_one_queue_for_all_is_better_than_any_of_their_own():
    """On the same requests, one in ten of them slow."""
    trace = poisson_trace(1, 20_000, 0.8 * 8 / MIXED.mean, MIXED)
    pool = fmean(waits_in_pool(trace, 8))
    others = {
        "in turns": fmean(assignment.in_turns(trace, 8)),
        "at random": fmean(assignment.at_random(trace, 8, seed=1)),
        "pinned": fmean(assignment.pinned(trace, 8, seed=1)),
    }
    assert [name for name, mean in others.items() if mean <= 2 * pool] == []


def test_a_worker_s_own_queue_is_served_in_order():
    """Three requests, two workers in turn: the third waits for the first."""
    trace = Trace([0.0, 1.0, 2.0], [5.0, 1.0, 1.0])
    assert assignment.in_turns(trace, 2) == [0.0, 0.0, 3.0]
    assert assignment.central(trace, 2) == [0.0, 0.0, 0.0]


def test_a_summary_of_few_waits_has_no_error():
    """Fewer than batches: nothing can be said; and nothing of nothing."""
    assert summary([0.0, 2.0, 1.0]) == Waits(3, 1.0, 0.0, 2.0, 2.0)
    assert summary([]) == Waits(0, 0.0, 0.0, 0.0, 0.0)


def test_a_mixture_is_as_long_as_it_says():
    """The mean of many draws, of which every tenth is slow."""
    trace = poisson_trace(1, 50_000, 1.0, MIXED)
    found = summary(trace.services)
    assert found.mean == pytest.approx(MIXED.mean, abs=2 * found.error)
    assert found.longest < 0.15
