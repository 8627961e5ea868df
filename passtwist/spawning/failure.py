"""What the controller adds to the failure of a spawn.

Runs in: the controller.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from passtwist.masking import mask_secrets, secret_values
from passtwist.model import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.model import AppSpec, Step

# Steps in which an app's modules are imported.
_LOADING = ("load_app", "warm_up")


def masker(app: AppSpec) -> Callable[[str], str]:
    """Hides secrets in text, those of the environment of *app* among them."""
    return partial(mask_secrets, values=secret_values({**os.environ, **dict(app.env)}))


def outer_scene(app: AppSpec) -> Scene:
    """What is known of the process of *app* when it could not say it itself."""
    return Scene(
        python=app.python,
        user=f"uid {app.uid if app.uid >= 0 else os.geteuid()}",
        folder=app.root,
    )


def advice_on_timeout(step: Step | None) -> str:
    """What can be done about an app that hangs in *step*."""
    longer = "If the app needs longer to start, raise start_timeout."
    if step is None or step.name not in _LOADING:
        return longer
    return (
        longer + "  If it starts a server of its own, with app.run() for instance: "
        'that call belongs behind  if __name__ == "__main__".'
    )
