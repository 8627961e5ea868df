"""Requests a second of a hello-world app, beside Debian's Passenger.

``wrk -t1 -c32``, keep-alive, two workers each, access logs off, interleaved
rounds in one run.  Prints the median of each server and its ratio to Passenger
in the same round.  Needs Debian's ``passenger`` and ``wrk``.

    python benchmarks/throughput.py [--rounds 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
from contextlib import ExitStack

from load import Passenger, cpu_seconds, descendants, hello_folder, require, wrk

from passtwist.testing.server import RunningServer

METHODS = ("conservative", "smart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    require("passenger", "wrk")
    folder = hello_folder()
    try:
        with ExitStack() as stack:
            peer = stack.enter_context(Passenger(folder, free_port()))
            print(" ".join(peer.command))
            # Its agents leave the process tree of the command, so their CPU
            # time is not to be had from there.
            servers = {"passenger": (peer.url, 0)}
            for method in METHODS:
                server = stack.enter_context(serve(str(folder), method))
                url = f"http://127.0.0.1:{server.port}/"
                servers[f"passtwist {method}"] = (url, server.process.pid)
            for url, _ in servers.values():
                wrk(url, 1.0)
            report(measure(servers, options.rounds, options.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(folder: str, method: str) -> RunningServer:
    """passtwist with two workers."""
    return RunningServer(
        "--access-log=off",
        "--max-pool-size=2",
        "--min-instances=2",
        f"--spawn-method={method}",
        folder,
    )


def measure(servers, rounds, seconds):
    """One load after the other, in turns; rate and CPU by server."""
    results = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (url, pid) in servers.items():
            pids = descendants(pid) if pid else []
            before = cpu_seconds(pids)
            load = wrk(url, seconds)
            micros = (cpu_seconds(pids) - before) / load.requests * 1e6
            assert not load.errors, f"{name}: {load.errors}"
            results[name].append((load.rate, micros))
    return results


def report(results) -> None:
    """The table."""
    peer = [rate for rate, _ in results["passenger"]]
    print(f"{'server':24} {'requests/s':>12} {'CPU us/req':>12} {'to Passenger':>14}")
    for name, rows in results.items():
        rate = statistics.median(rate for rate, _ in rows)
        micros = statistics.median(micros for _, micros in rows)
        ratios = [rate / base for (rate, _), base in zip(rows, peer, strict=True)]
        spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
        median = statistics.median(ratios)
        cpu = f"{micros:12.1f}" if micros else f"{'-':>12}"
        print(f"{name:24} {rate:12.0f} {cpu} {median:7.2f} {spread}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
