"""Any order of events that a service could report keeps the pool whole."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from passtwist.model import Limits
from passtwist.pool import (
    AppRemoved,
    DetachRequested,
    DisableRequested,
    EnableRequested,
    Pool,
    PoolConfigChanged,
    PoolLimits,
    RequestOverran,
    RestartRequested,
    ShutdownRequested,
    WorkerLost,
)

LIMITS = st.builds(
    Limits,
    min_instances=st.integers(0, 2),
    max_instances=st.integers(0, 3),
    spawn_concurrency=st.integers(1, 2),
    max_queue_size=st.integers(0, 3),
    max_queue_time=st.sampled_from([0.0, 0.5, 5.0]),
    concurrency=st.integers(1, 2),
    prestart=st.booleans(),
    spare_workers=st.integers(0, 2),
    max_requests=st.integers(0, 3),
    memory_limit=st.sampled_from([0, 100]),
    hard_memory_limit=st.sampled_from([0, 200]),
    restart_parallelism=st.integers(1, 2),
    drain_time=st.sampled_from([0.0, 1.0]),
)
POOL_LIMITS = st.builds(
    PoolLimits,
    max_pool_size=st.integers(1, 4),
    pool_idle_time=st.sampled_from([0.0, 1.0, 300.0]),
    spawn_concurrency=st.integers(1, 3),
    spawner_idle_time=st.sampled_from([0.0, 2.0]),
    fair_turn=st.sampled_from([0.0, 1.0]),
    spare_pause=st.sampled_from([0.0, 0.5]),
    restart_pause=st.sampled_from([0.0, 1.0]),
)


def one_of(things):
    """A choice among what there is; shrinks to the first."""
    return st.integers(0, 30).map(lambda n: sorted(things)[n % len(things)])


def machine_for(make_world):
    class PoolMachine(RuleBasedStateMachine):
        """The rules are what the world does; it checks all invariants itself."""

        @initialize(limits=POOL_LIMITS, apps=st.lists(LIMITS, min_size=1, max_size=3))
        def begin(self, limits, apps):
            self.tickets = 0
            self.world = make_world(Pool(limits))
            for number, app in enumerate(apps):
                self.world.add_app(f"app{number}", app)

        def pick(self, data, things):
            return data.draw(one_of(list(things)))

        @rule(data=st.data())
        def somebody_asks(self, data):
            self.tickets += 1
            self.world.ask(self.pick(data, self.world.limits), self.tickets)

        @precondition(lambda self: self.world.serving)
        @rule(data=st.data())
        def a_session_ends(self, data):
            self.world.finish(self.pick(data, self.world.serving))

        @precondition(lambda self: self.world.waiting)
        @rule(data=st.data())
        def a_client_leaves(self, data):
            self.world.cancel(self.pick(data, self.world.waiting))

        @precondition(lambda self: self.world.spawning)
        @rule(data=st.data())
        def a_worker_is_ready(self, data):
            self.world.become_ready(self.pick(data, self.world.spawning))

        @precondition(lambda self: self.world.spawning)
        @rule(data=st.data())
        def a_spawn_fails(self, data):
            self.world.fail_spawn(self.pick(data, self.world.spawning))

        @precondition(lambda self: self.world.spawning)
        @rule(data=st.data())
        def a_process_ends_before_it_is_ready(self, data):
            self.world.exit_early(self.pick(data, self.world.spawning))

        @precondition(lambda self: self.world.alive)
        @rule(data=st.data())
        def a_worker_dies(self, data):
            self.world.die(self.pick(data, self.world.alive))

        @precondition(lambda self: self.world.leaving)
        @rule(data=st.data())
        def a_worker_leaves_as_told(self, data):
            self.world.die(self.pick(data, self.world.leaving))

        @precondition(lambda self: self.world.alive)
        @rule(data=st.data())
        def a_worker_cannot_be_reached(self, data):
            self.world.tell(WorkerLost(self.pick(data, self.world.alive)))

        @precondition(lambda self: self.world.alive or self.world.spawning)
        @rule(data=st.data())
        def somebody_detaches(self, data):
            there = [*self.world.alive, *self.world.spawning]
            self.world.tell(DetachRequested(self.pick(data, there)))

        @rule(data=st.data())
        def an_app_is_to_be_restarted(self, data):
            app = self.pick(data, self.world.limits)
            self.world.tell(RestartRequested(app, "deployed"))

        @precondition(lambda self: self.world.alive)
        @rule(data=st.data(), size=st.sampled_from([50, 150, 250]))
        def memory_is_sampled(self, data, size):
            self.world.sample_memory(self.pick(data, self.world.alive), size)

        @precondition(lambda self: self.world.alive)
        @rule(data=st.data())
        def a_request_overruns(self, data):
            self.world.tell(RequestOverran(self.pick(data, self.world.alive)))

        @precondition(lambda self: self.world.alive)
        @rule(
            data=st.data(), event=st.sampled_from([DisableRequested, EnableRequested])
        )
        def somebody_disables_or_enables(self, data, event):
            self.world.tell(event(self.pick(data, self.world.alive)))

        @rule(data=st.data(), limits=LIMITS)
        def an_app_gets_other_limits(self, data, limits):
            self.world.change_limits(self.pick(data, self.world.limits), limits)

        @rule(limits=POOL_LIMITS)
        def the_pool_gets_other_limits(self, limits):
            self.world.tell(PoolConfigChanged(limits))

        @rule(seconds=st.sampled_from([0.05, 0.5, 1.0, 10.0]))
        def time_passes(self, seconds):
            self.world.pass_time(seconds)

        @rule(data=st.data())
        def an_app_goes_and_comes_back(self, data):
            app = self.pick(data, self.world.limits)
            self.world.tell(AppRemoved(app))
            self.world.add_app(app, self.world.limits[app])

        def teardown(self):
            """However it went: a shutdown leaves nobody behind."""
            if not hasattr(self, "world"):
                return
            world = self.world
            world.tell(ShutdownRequested())
            for _ in range(200):
                for worker in list(world.spawning):
                    world.become_ready(worker)
                for ticket in list(world.serving):
                    if ticket in world.serving:
                        world.finish(ticket)
                for worker in list(world.leaving):
                    world.die(worker)
                world.pass_time(40.0)
                if not world.waiting and not world.alive and not world.spawning:
                    break
            assert (world.waiting, world.alive, world.spawning) == ({}, {}, {})

    return PoolMachine


def test_any_order_of_events_keeps_all_invariants(make_world):
    """And after a shutdown nobody works or waits any more."""
    run_state_machine_as_test(
        machine_for(make_world),
        settings=settings(
            max_examples=40,
            stateful_step_count=50,
            deadline=None,
        ),
    )
