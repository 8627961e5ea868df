"""Spawn method auto: smart where it is safe.

Runs in: the controller.
"""
