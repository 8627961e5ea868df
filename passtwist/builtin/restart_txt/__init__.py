"""Restart triggers restart.txt and always_restart.txt.

Runs in: the controller.
"""
