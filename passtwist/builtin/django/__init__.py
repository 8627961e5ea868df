"""Framework django.

Runs in: the controller (plugin.py) and the processes of its apps (child.py).
"""
