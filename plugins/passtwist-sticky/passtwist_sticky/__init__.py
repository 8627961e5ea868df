"""Sticky sessions for passtwist: see README.md.

Runs in: nowhere by itself; `plugin` is for the controller.
"""
