"""What the installer tried in vain, for who is asked why something is missing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

# Beside what was installed, so that it goes when that goes.
REMEMBERED = Path(sys.prefix) / "share" / "passtwist-benchmarks" / "in-vain.json"


def in_vain() -> dict[str, str]:
    """Why a package could not be installed, by its name."""
    try:
        found = json.loads(REMEMBERED.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(why) for name, why in found.items()}


def remember(name: str, why: str) -> None:
    """Keep why it could not be installed; empty: it could.

    It goes into reports, so what is about this machine only is taken out.
    """
    reasons = in_vain()
    if reasons.get(name, "") == why:
        return
    if why:
        reasons[name] = for_others(why)
    else:
        del reasons[name]
    REMEMBERED.parent.mkdir(parents=True, exist_ok=True)
    REMEMBERED.write_text(json.dumps(reasons, indent=1, sort_keys=True) + "\n")


def for_others(text: str) -> str:
    """Without addresses and paths."""
    text = re.sub(r"\w+://\S+", "URL", text)
    return re.sub(r"(?<![\w.])/(?!dev/)[\w.@+-]+(/[\w.@+-]+)+", "PATH", text)


def explained(remedy: str) -> str:
    """A remedy, "pip install uwsgi", with why the installer had no success with it."""
    reasons = in_vain()
    names = [one for one in re.findall(r"[\w.-]+", remedy) if one in reasons]
    tried = [f"{name}: {reasons[name]}" for name in dict.fromkeys(names)]
    return f"{remedy} (tried; {'; '.join(tried)})" if tried else remedy
