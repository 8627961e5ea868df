"""The admin socket.

Runs in: the controller.
"""
