"""Requests on their way to workers and back.

The gateway asks the pool, a link has the connections of one worker, and a connection
carries a session.  Runs in: the controller.
"""
