"""Framework wsgi: any WSGI callable.

Runs in: the controller (plugin.py) and the processes of its apps (child.py).
"""
