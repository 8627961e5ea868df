"""passtwist: an application server for Python web applications.

Runs in: every process, also under the app's own interpreter, so it holds
nothing but the version.
"""

__version__ = "0.1.0.dev0"
