"""Benchmarks of one part each, without a server around it."""
