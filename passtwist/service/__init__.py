"""The Twisted services of the controller.

Runs in: the controller.  Feeds the pool, performs its actions, carries
sessions to workers, starts and stops everything.
"""
