"""Spawn method smart-lv2: app spawner, fork.

Runs in: the controller.
"""
