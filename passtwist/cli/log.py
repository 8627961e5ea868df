"""Where a server in the foreground logs to.

Runs in: the controller, when `passtwist serve` has started it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.logger import ILogObserver


def to_stderr() -> ILogObserver:
    """A log observer, for twistd's ``--logger``.

    twistd alone would log to standard output, which is no place for it when
    the access log goes there.
    """
    from twisted.logger import textFileLogObserver

    observer: ILogObserver = textFileLogObserver(sys.stderr)
    return observer
