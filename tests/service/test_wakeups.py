"""One timer for all wake-ups."""

from __future__ import annotations

from twisted.internet.task import Clock

from passtwist.service.wakeups import WakeUps


def test_it_wakes_at_each_time_and_never_early():
    """In order, whatever the order in which they were asked for."""
    clock = Clock()
    woken = []
    wakeups = WakeUps(clock, clock.seconds, lambda: woken.append(clock.seconds()))
    for time in (5.0, 2.0, 9.0):
        wakeups.wake_at(time)
    clock.pump([1.0] * 10)
    assert woken == [2.0, 5.0, 9.0]
    assert clock.getDelayedCalls() == []


def test_one_timer_serves_all():
    """However many times are asked for, the reactor has one call."""
    clock = Clock()
    wakeups = WakeUps(clock, clock.seconds, lambda: None)
    for time in range(100):
        wakeups.wake_at(float(time))
    assert len(clock.getDelayedCalls()) == 1
    wakeups.stop()
    assert clock.getDelayedCalls() == []


def test_a_clock_that_was_set_does_not_wake_early():
    """The timer's clock jumped ahead; the monotonic one did not."""
    wall, monotonic, woken = Clock(), [0.0], []
    wakeups = WakeUps(wall, lambda: monotonic[0], lambda: woken.append(monotonic[0]))
    wakeups.wake_at(10.0)
    wall.advance(3600)
    assert woken == []
    monotonic[0] = 10.0
    wall.advance(10)
    assert woken == [10.0]


def test_what_is_asked_for_while_waking_is_heard():
    """The pool asks for the next time as it is woken."""
    clock = Clock()
    woken = []

    def wake():
        woken.append(clock.seconds())
        if len(woken) < 3:
            wakeups.wake_at(clock.seconds() + 1)

    wakeups = WakeUps(clock, clock.seconds, wake)
    wakeups.wake_at(1.0)
    clock.pump([1.0] * 5)
    assert woken == [1.0, 2.0, 3.0]
