"""What the controller's garbage collector looks at."""

from __future__ import annotations

import json
import subprocess
import sys

SETTLE = """
import gc, json
from passtwist.service import heap

def cycle():
    one = []
    one.append(one)

gc.disable()
cycle()
before = gc.get_freeze_count()
heap.settle()
settled = gc.get_freeze_count() - before
new = [[] for _ in range(1000)]
seen = {id(each) for each in gc.get_objects()}
print(json.dumps({
    "old is out of sight": settled > 1000 and id(json) not in seen,
    "new is in sight": all(id(each) in seen for each in new),
    "garbage was kept": gc.collect() > 0,
    "thresholds": gc.get_threshold(),
}))
"""


def test_what_is_loaded_is_not_looked_at_and_what_comes_is():
    """In a process of its own: what is frozen here would hide what tests leave."""
    out = subprocess.run(
        [sys.executable, "-c", SETTLE], capture_output=True, text=True, check=True
    )
    assert json.loads(out.stdout) == {
        "old is out of sight": True,
        "new is in sight": True,
        "garbage was kept": False,
        "thresholds": [10_000, 20, 50],
    }


def test_a_process_that_is_all_ours_does_that_once_it_runs(tmp_path):
    tac = tmp_path / "site.py"
    tac.write_text("application = None\n")
    settings = tmp_path / "passtwist.toml"
    settings.write_text(
        f'[server]\nlisten = ["unix:{tmp_path}/s"]\nruntime_dir = "{tmp_path}/run"\n'
        f'default_user = "root"\n[[app]]\nroot = "{tmp_path}"\n'
    )
    script = (
        "import gc\n"
        "from twisted.internet import reactor\n"
        "from passtwist.assembly import make_service\n"
        f"make_service({str(settings)!r})\n"
        "reactor.callWhenRunning(reactor.stop)\n"
        "reactor.addSystemEventTrigger(\n"
        "    'after', 'shutdown', lambda: print(gc.get_freeze_count() > 10_000)\n"
        ")\n"
        "reactor.run()\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["True"]
