"""Restart trigger of development: changes of source files.

Runs in: the controller.
"""
