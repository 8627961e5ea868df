"""Error pages from a folder of the operator's.

Runs in: nowhere by itself; `plugin` is for the controller.
"""
