"""Two programs as one: started together, stopped together, ended together.

    python pair.py PROXY [ARGUMENT ...] -- SERVER [ARGUMENT ...]

Ends as soon as one of them does. What stops it stops both; the signals by which
servers are told to restart go to the server alone. Run as a file, so it imports
the standard library only.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

FOR_BOTH = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
FOR_THE_SERVER = {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
PATIENCE = 15.0


def main(words: list[str]) -> int:
    """Run both; answers the status of the one that ended first."""
    middle = words.index("--")
    awaited = {signal.SIGCHLD, *FOR_BOTH, *FOR_THE_SERVER}
    # They are waited for, not handled, so that none is missed between the starts.
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    proxy, server = (start(one) for one in (words[:middle], words[middle + 1 :]))
    while proxy.poll() is None and server.poll() is None:
        number = signal.sigwait(awaited)
        if number in FOR_BOTH:
            stop((proxy, server), number)
        elif number in FOR_THE_SERVER:
            server.send_signal(number)
    first = server if proxy.poll() is None else proxy
    status: int = first.returncode
    stop((proxy, server), signal.SIGTERM)
    return abs(status)


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """In a child that blocks no signal."""
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        preexec_fn=unblock,  # noqa: PLW1509  # there is one thread only
    )


def unblock() -> None:
    """A mask of signals outlives exec."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def stop(pair: tuple[subprocess.Popen[bytes], ...], number: int) -> None:
    """Tell those that run, wait for them, kill who is too slow."""
    for one in pair:
        if one.poll() is None:
            one.send_signal(number)
    deadline = time.monotonic() + PATIENCE
    for one in pair:
        try:
            one.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
