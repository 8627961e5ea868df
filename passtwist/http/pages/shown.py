"""Text of an app, made fit for a page.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re

from passtwist.masking import mask_secrets

# Colours and movements of a terminal's cursor, and titles.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def shown(text: str) -> str:
    """*text* without secrets and without what a page can't show; not escaped."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return mask_secrets(_CONTROLS.sub("\ufffd", text))
