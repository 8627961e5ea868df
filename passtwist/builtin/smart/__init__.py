"""Spawn method smart: framework spawner, app spawner, fork.

Runs in: the controller.
"""
