"""Bytes to the parts of a request: sans-I/O, strict, split wherever they like.

Runs in: the controller.
"""
