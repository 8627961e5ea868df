"""Which spawns share a spawner.

Runs in: the manager and framework spawners.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from passtwist.model import FRAMEWORK, SpawnRequest
from passtwist.spawnserver.environment import for_interpreter
from passtwist.spawnserver.freezing import IMMORTAL


def key_of(kind: str, request: SpawnRequest) -> str:
    """Two spawns with equal keys go through the same spawner of *kind*.

    A framework spawner is shared by apps of one user and one interpreter,
    started alike, with the same framework files.  An app spawner belongs to one
    generation of one app; after any change of its settings another is started.
    """
    app = request.app
    if kind == FRAMEWORK:
        parts = (
            kind,
            app.framework_key,
            app.framework,
            app.child,
            app.python,
            # What a process can't get back, once it has become that.
            (app.uid, app.gid, app.groups, app.limits, app.no_new_privileges),
            sorted(for_interpreter(app).items()),
            # Nor can what was made immortal there be made mortal again.
            app.freeze == IMMORTAL,
        )
        return json.dumps(parts)
    return json.dumps((kind, request.generation, asdict(app)), sort_keys=True)
