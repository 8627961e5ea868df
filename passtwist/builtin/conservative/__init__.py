"""Spawn method conservative: a fresh interpreter for each worker.

Runs in: the controller.
"""
