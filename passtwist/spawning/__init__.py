"""The controller's client of the spawn server.

Runs in: the controller.  Spawn methods see it as `ISpawnToolkit`.
"""
