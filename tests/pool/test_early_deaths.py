"""Workers that die young: how soon others come in their place."""

from __future__ import annotations

from itertools import pairwise

import pytest

from passtwist.pool import (
    CrashesInARow,
    GrantSession,
    RejectCheckout,
    StartSpawn,
    WorkerExited,
    WorkerLost,
)
from passtwist.pool.deaths import FREE_CRASHES, LONGEST_HOLD, SECONDS_PER_CRASH


def kill(scene, worker):
    return scene.tell(WorkerExited(worker, innocent=True))


def newest(scene):
    return max(scene.states())


def waits_after(scene, deaths, die):
    """How long the minimum was put off after each of so many deaths in a row."""
    waits = []
    for _ in range(deaths):
        number = newest(scene)
        scene.ready(number)
        die(scene, number)
        begun = scene.now
        while not scene.states():
            scene.wait(0.05)
        waits.append(round(scene.now - begun, 2))
        scene.now += 0.01
    return waits


def test_crashes_in_a_row_are_waited_for_longer_and_longer(make_scene):
    """Doubling, up to 30 s."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    waits = waits_after(scene, 12, lambda scene, number: scene.exit(number))
    assert waits == pytest.approx(
        [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0], abs=0.06
    )


def test_kills_from_outside_hold_up_the_pool_for_a_moment_at_most(make_scene):
    """The first three not at all; the kernel may be the one who kills."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    waits = waits_after(scene, 9, kill)
    assert waits == pytest.approx([0, 0, 0, 0.1, 0.2, 0.4, 0.4, 0.4, 0.4], abs=0.06)


def test_workers_that_die_together_are_one_death(make_scene):
    """Eight of them: all are started again at once."""
    scene = make_scene(max_pool_size=8, spawn_concurrency=8)
    scene.add("shop", min_instances=8, spawn_concurrency=8, prestart=True)
    for number in range(1, 9):
        scene.ready(number)
    scene.now = 1.0
    orders = [order for number in range(1, 9) for order in scene.exit(number)]
    assert orders == [StartSpawn(number, "shop", 0) for number in range(9, 17)]


def test_a_worker_that_lived_for_long_did_not_die_young(make_scene):
    """Nobody asked it for anything; that is no crash loop."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    for number in range(1, 8):
        scene.ready(number)
        scene.wait(31.0)
        assert scene.exit(number) == [StartSpawn(number + 1, "shop", 0)]


@pytest.mark.parametrize("innocent", [True, False])
def test_a_death_is_judged_when_it_is_known_how_it_came(make_scene, innocent):
    """The connections break first; the process is reaped a moment later."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.ready(1)
    scene.exit(1)
    scene.wait(0.01)
    scene.ready(2)
    (killed,) = scene.tell(WorkerLost(2))
    assert killed.worker == 2
    scene.wait(0.01)
    orders = scene.tell(WorkerExited(2, innocent))
    assert orders == ([StartSpawn(3, "shop", 0)] if innocent else [])
    if not innocent:
        assert scene.wait(0.05) == []
        assert scene.wait(0.05) == [StartSpawn(3, "shop", 0)]


def test_a_lost_worker_that_lives_on_is_replaced_without_a_verdict(make_scene):
    """The minimum does not wait for its end."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.ready(1)
    scene.tell(WorkerLost(1))
    assert scene.wait(0.1) == [StartSpawn(2, "shop", 0)]


def test_a_request_waits_for_no_verdict(make_scene):
    """It starts a worker at once."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.ready(1)
    scene.tell(WorkerLost(1))
    scene.ask("t1")
    assert scene.orders == [StartSpawn(2, "shop", 0)]


# --- requests that kill their workers ---------------------------------------------


def ask_and_die(scene, die):
    """A request is given to a worker, which dies of it; None, or its refusal."""
    ticket = object()
    worker = scene.ask(ticket)
    if worker is None:
        for order in scene.orders:
            if isinstance(order, RejectCheckout):
                return order
        number = newest(scene)
        assert GrantSession(ticket, number) in scene.ready(number)
        worker = number
    die(scene, worker)
    return None


def crash(scene, worker):
    scene.exit(worker)


def crash_at_leisure(scene, worker):
    """The connections break before the process is reaped."""
    scene.tell(WorkerLost(worker))
    scene.wait(0.002)
    scene.exit(worker)


def outcomes(scene, requests, pause, die):
    """What became of requests that came one after the other."""
    found = []
    for _ in range(requests):
        found.append(ask_and_die(scene, die))
        scene.wait(pause)
    return found


@pytest.fixture
def lazy(make_scene):
    """An app without a minimum, so that only requests start workers."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    return scene


@pytest.mark.parametrize("die", [crash, crash_at_leisure])
def test_an_app_whose_requests_kill_its_workers_gets_few_of_them(lazy, die):
    """Twenty requests a second: soon a spawn in eight; else 503, and at once."""
    found = outcomes(lazy, 800, 0.05, die)
    at = [number for number, each in enumerate(found) if each is None]
    first = [0, 1, 2, 3, 13, 33, 73, 153]
    # A wait ends with the request after it.
    assert at[: len(first)] == pytest.approx(first, abs=2)
    later = [there - here for here, there in pairwise(at[len(first) - 1 :])]
    assert later == pytest.approx([LONGEST_HOLD / 0.05] * len(later), abs=1)
    refusals = [each for each in found if each is not None]
    assert {(each.status, each.retry_after) for each in refusals} == {
        (503, seconds) for seconds in range(1, 9)
    }
    assert "has lost worker after worker" in refusals[0].reason
    assert lazy.pool.view().queue == 0
    notices = [each for each in lazy.notices if isinstance(each, CrashesInARow)]
    assert notices == [CrashesInARow("shop", 4, SECONDS_PER_CRASH)]


def test_a_pause_between_crashes_makes_them_few_again(lazy):
    """As at the beginning, and if they become many they are told again."""
    many = FREE_CRASHES + 1
    for _ in range(2):
        found = outcomes(lazy, many + 1, 0.05, crash)
        assert [each is None for each in found] == [True] * many + [False]
        lazy.wait(SECONDS_PER_CRASH * (FREE_CRASHES + 1))
    notices = [each for each in lazy.notices if isinstance(each, CrashesInARow)]
    assert notices == [
        CrashesInARow("shop", number, pytest.approx(SECONDS_PER_CRASH))
        for number in (many, 2 * many)
    ]


def test_a_request_now_and_then_that_kills_its_worker_costs_no_other_one(lazy):
    """Two a second for a minute: each gets its worker."""
    assert set(outcomes(lazy, 120, SECONDS_PER_CRASH, crash)) == {None}


def test_kills_from_outside_are_not_rationed(lazy):
    """Nobody is refused for what somebody else does."""
    assert set(outcomes(lazy, 100, 0.01, kill)) == {None}


def test_workers_that_answer_something_before_they_crash_are_not_rationed(lazy):
    """One path of many crashes; visitors of the others get what they ask for."""

    def answer_one_then_crash(scene, worker):
        scene.end(worker)
        assert scene.ask("victim") == worker
        scene.exit(worker)

    assert set(outcomes(lazy, 100, 0.01, answer_one_then_crash)) == {None}


def test_while_crashes_are_waited_out_a_worker_that_lives_serves_on(make_scene):
    """Who finds it busy waits for it, and nobody else is started."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    scene.ask("t1")
    for number in range(2, 3 + FREE_CRASHES):
        scene.ask(f"victim {number}")
        scene.ready(number)
        scene.now += 0.03
        scene.exit(number)
    assert scene.app_state() == "ready"
    assert (scene.ask("t2"), scene.orders) == (None, [])
    assert scene.end(1) == "t2"
    scene.ask("t3")
    (start,) = scene.wait(SECONDS_PER_CRASH)
    assert start == StartSpawn(3 + FREE_CRASHES, "shop", 0)


def test_a_crash_that_is_known_for_one_refuses_who_waits(lazy):
    """Also whom a spawn that had begun before would serve; that one serves others."""
    outcomes(lazy, FREE_CRASHES, 0.03, crash)
    lazy.ask("victim")
    lazy.ready(4)
    lazy.tell(WorkerLost(4))
    lazy.ask("t1")
    assert lazy.orders == [StartSpawn(5, "shop", 0)]
    (refusal,) = lazy.exit(4)
    assert (refusal.ticket, refusal.status) == ("t1", 503)
    lazy.ready(5)
    assert (lazy.app_state(), lazy.ask("t2")) == ("ready", 5)


def test_a_worker_that_is_ready_does_not_end_the_wait(make_scene):
    """Whether requests will crash it is not known."""
    scene = make_scene()
    scene.add("shop", min_instances=0, spawn_concurrency=2)
    outcomes(scene, FREE_CRASHES, 0.03, crash)
    scene.ask("t1")
    scene.ask("t2")
    scene.ready(4)
    scene.exit(4)
    assert scene.app_state() == "backing-off"
    scene.now += 0.03
    scene.ready(5)
    scene.exit(5)
    assert scene.app_state() == "backing-off"
    assert ask_and_die(scene, crash).status == 503


def test_a_restart_forgets_crashes(lazy):
    """The next request gets new code."""
    outcomes(lazy, FREE_CRASHES + 1, 0.03, crash)
    assert ask_and_die(lazy, crash).status == 503
    lazy.restart()
    lazy.ask("t")
    assert lazy.orders == [StartSpawn(FREE_CRASHES + 2, "shop", 1)]


# --- what forgives ----------------------------------------------------------------


def test_a_restart_forgets_early_deaths(make_scene):
    """The new code may be the remedy."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    waits_after(scene, 6, lambda scene, number: scene.exit(number))
    scene.ready(newest(scene))
    scene.exit(newest(scene))
    assert scene.states() == {}
    number = 8
    assert scene.restart()[0] == StartSpawn(number, "shop", 1)


def test_an_app_that_crashes_or_hangs_holds_up_no_other(make_scene):
    """Its spawns are as many as it may have at a time, whatever becomes of them."""
    scene = make_scene(max_pool_size=4, spawn_concurrency=2)
    scene.add("bad", prestart=True, restart_parallelism=2)
    scene.add("good", min_instances=0)
    scene.ready(1)
    scene.exit(1)
    scene.ask("t1", "bad")
    scene.fail(2)
    scene.wait(0.2)
    assert scene.states("bad") == {3: "starting"}
    scene.ask("t2", "good")
    assert scene.orders == [StartSpawn(4, "good", 0)]
    scene.ready(4)
    scene.restart("good")
    assert scene.states("good") == {4: "busy", 5: "starting"}


def test_after_a_storm_of_kills_the_pool_is_full_again_soon(make_scene):
    """Random workers every 0.3 s for a minute; then half a second and a spawn."""
    scene = make_scene(max_pool_size=4)
    scene.add("shop", min_instances=4, prestart=True)
    spawn_time, due, last = 0.2, {1: 0.2}, 0
    for tick in range(1, 660):
        scene.now = tick / 10
        orders = list(scene.wait(0.0))
        for number in [n for n, at in due.items() if at <= scene.now]:
            del due[number]
            orders += scene.ready(number)
        live = [n for n, s in scene.states().items() if s == "idle"]
        if tick % 3 == 0 and tick < 600 and live:
            orders += kill(scene, live[tick % len(live)])
            last = scene.now
        started = [o.worker for o in orders if isinstance(o, StartSpawn)]
        due |= dict.fromkeys(started, scene.now + spawn_time)
        if last and tick >= 600 and len(live) == 4:
            break
    # One spawn at a time, and at most two are missing at the end.
    assert scene.now - last <= 2 * spawn_time + 0.5 + 0.2
