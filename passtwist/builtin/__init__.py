"""The plugins that come with passtwist, with no more rights than any other.

Runs in: the controller (plugin.py) and the app's processes (child.py).
"""
