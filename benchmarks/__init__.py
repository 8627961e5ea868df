"""Benchmarks beside the peers: `python -m benchmarks`; see README.md."""
