"""passtwist and Bottle: see README.md.

Runs in: nowhere by itself; `plugin` is for the controller, `child` for the
processes of apps.
"""
