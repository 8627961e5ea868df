"""passtwist: an application server for Python web applications.

This module is imported in every process, also under the app's own
interpreter, so it holds nothing but the version.
"""

__version__ = "0.1.0.dev0"
