"""Workers that die young: how soon others come in their place."""

from __future__ import annotations

import pytest

from passtwist.pool import StartSpawn, WorkerExited, WorkerLost


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
