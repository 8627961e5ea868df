"""The real pool in a simulated world.

Run: ``python -m benchmarks.simulation [--seed N] [--quick] [--part NAME]``

`passtwist.pool.Pool`, unchanged, is told of requests, spawns, crashes and
restarts that happen on a clock that only the simulation turns.  An hour passes
in seconds, and the same seed gives the same hour.
"""
