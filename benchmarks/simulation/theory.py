"""What queueing theory says about waiting.

Rates are requests a second, times are seconds.  Arrivals are Poisson, service
times are exponential; whoever comes first is served first.
"""

from __future__ import annotations

import math


def erlang_c(servers: int, offered: float) -> float:
    """The chance that who comes has to wait, with one queue for all servers.

    :param offered: arrivals during one mean service; below *servers*.
    """
    # Erlang B by its recursion, which never overflows, then C from B.
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait(servers: int, arrivals: float, service: float) -> float:
    """Mean seconds in the queue of an M/M/c."""
    offered = arrivals * service
    return erlang_c(servers, offered) * service / (servers - offered)


def wait_not_exceeded(
    share: float, servers: int, arrivals: float, service: float
) -> float:
    """Seconds in the queue of an M/M/c that *share* of all do not exceed."""
    offered = arrivals * service
    waits = erlang_c(servers, offered)
    if waits <= 1 - share:
        return 0.0
    return math.log(waits / (1 - share)) * service / (servers - offered)


def mean_wait_in_turns(servers: int, arrivals: float, service: float) -> float:
    """Mean seconds in the queue of one of *servers* that get requests in turn.

    Each then sees every c-th arrival of a Poisson process, Erlang's
    distribution between two of them: a GI/M/1, whose wait follows from the
    root of ``s = A(mu (1 - s))`` below 1.
    """
    root = 0.0
    # A fixed point that is approached from below; it contracts by the load.
    for _ in range(10_000):
        rate = (1 - root) / service
        following: float = (arrivals / (arrivals + rate)) ** servers
        if abs(following - root) < 1e-15:
            break
        root = following
    return root * service / (1 - root)
