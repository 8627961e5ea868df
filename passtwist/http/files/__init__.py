"""Answers from files: a site's own, and those that apps send.

Runs in: the controller.
"""
