"""The answers to requests that get no worker.

Runs in: the controller.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from passtwist.pool.actions import RejectCheckout

if TYPE_CHECKING:
    from collections.abc import Hashable

    from passtwist.pool.group import Group

_SOON = 1


def queue_full(ticket: Hashable, group: Group) -> RejectCheckout:
    waiting = len(group.queue)
    reason = f"{waiting} requests wait for {group.name} already (max_queue_size)"
    return RejectCheckout(ticket, group.name, 503, reason, _SOON)


def overdue(ticket: Hashable, group: Group) -> RejectCheckout:
    patience = group.limits.max_queue_time
    reason = f"no worker of {group.name} was free for {patience:g} s (max_queue_time)"
    return RejectCheckout(ticket, group.name, 504, reason)


def spawn_failed(ticket: Hashable, group: Group) -> RejectCheckout:
    reason = f"no worker of {group.name} could be started"
    error = group.back_off.error
    return RejectCheckout(ticket, group.name, 500, reason, None, error)


def backing_off(ticket: Hashable, group: Group, now: float) -> RejectCheckout:
    back_off = group.back_off
    wait = back_off.until - now
    if back_off.failures:
        why = f"could not be started {back_off.failures} times in a row"
    else:
        why = "has lost worker after worker before they had answered anything"
    reason = f"{group.name} {why}; it is not tried again for {wait:.1f} s"
    retry_after = max(_SOON, ceil(wait))
    return RejectCheckout(ticket, group.name, 503, reason, retry_after, back_off.error)


def app_removed(ticket: Hashable, group: Group) -> RejectCheckout:
    reason = f"{group.name} was removed"
    return RejectCheckout(ticket, group.name, 503, reason, _SOON)


def shutting_down(ticket: Hashable, group: Group) -> RejectCheckout:
    reason = "the server is shutting down"
    return RejectCheckout(ticket, group.name, 503, reason, _SOON)
