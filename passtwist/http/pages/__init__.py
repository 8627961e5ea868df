"""Pages of our own, for when there is no answer of an app.

Runs in: the controller.
"""
