"""The HTTP front end: bytes of clients to requests, responses to bytes.

Runs in: the controller.
"""
