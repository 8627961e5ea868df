"""The controller's own heap: what is there for good is not looked at again.

Runs in: the controller.
"""

from __future__ import annotations

import gc

# Python's are 700, 10, 10.  A request leaves no cycles behind, and connections few:
# what a look in vain costs grows with the connections that there are (a full one
# takes 19 to 36 ms with 10,000 of them, DESIGN section 7).
THRESHOLDS = (10_000, 20, 50)


def settle() -> None:
    """Take what has been loaded out of the garbage collector's sight.

    For a process that is all ours, once it has begun to serve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
