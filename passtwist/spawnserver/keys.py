"""Which spawns share a spawner.

Runs in: the manager and framework spawners.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from passtwist.model import FRAMEWORK, SpawnRequest
from passtwist.spawnserver.environment import for_interpreter


def key_of(kind: str, request: SpawnRequest) -> str:
    """Two spawns with equal keys go through the same spawner of *kind*.

    A framework spawner is shared by apps of one interpreter, started alike,
    with the same framework files.  An app spawner belongs to one generation of
    one app; after any change of its settings another is started.
    """
    app = request.app
    if kind == FRAMEWORK:
        parts = (
            kind,
            app.framework_key,
            app.framework,
            app.child,
            app.python,
            sorted(for_interpreter(app).items()),
        )
        return json.dumps(parts)
    return json.dumps((kind, request.generation, asdict(app)), sort_keys=True)
