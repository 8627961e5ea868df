"""Any WSGI callable: the child half of the plain framework.

Runs in: app spawners and workers.  Standard library only.
"""

from __future__ import annotations

from typing import Any


def load(app: Any) -> Any:
    """What the app's entry names."""
    return app.load_entry()
