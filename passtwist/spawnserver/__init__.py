"""The spawn server: manager, framework spawners, app spawners.

Runs in: the processes of those names, and in workers until they serve.
Standard library only, in the app's own interpreter.
"""
