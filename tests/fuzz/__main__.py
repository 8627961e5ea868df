"""Fuzz what reads bytes of strangers: ``python -m tests.fuzz [TARGET] [--seconds N]``.

Guided by coverage if atheris is installed (``pip install passtwist[fuzz]``), else
by chance alone.  Ends with status 1 and the input at the first finding.  With
``--keep``, inputs that took new ways are added to the corpus of the target.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import corpus, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

# Words that hardly come about by changing bytes, as libFuzzer's dictionaries have them.
WORDS = r"""
"\x0d\x0a"
"\x0d\x0a\x0d\x0a"
"0\x0d\x0a\x0d\x0a"
"Host: a"
"Content-Length: "
"Transfer-Encoding: "
"chunked"
"gzip, chunked"
" HTTP/1.1"
"HTTP/1.0"
"GET /"
"POST / "
"http://"
"Connection: "
"keep-alive"
"close"
"Expect: 100-continue"
";a=\x22b\x22"
"for="
"proto="
"PROXY TCP4 "
"\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a"
"""
# How many inputs of a run are kept at most.
KEPT = 120


def main() -> int:
    arguments = _parser().parse_args()
    names = arguments.targets or list(targets.TARGETS)
    if len(names) == 1:
        return fuzz(names[0], arguments.seconds, arguments.keep)
    # Each in a process of its own: libFuzzer ends the one that it runs in.
    failed = []
    for name in names:
        print(f"--- {name}", flush=True)
        seconds = max(arguments.seconds // len(names), 1)
        command = [sys.executable, "-m", "tests.fuzz", name, f"--seconds={seconds}"]
        if subprocess.run(
            command + ["--keep"] * arguments.keep, check=False
        ).returncode:
            failed.append(name)
    print(f"findings in {', '.join(failed)}" if failed else "no findings")
    return bool(failed)


def fuzz(target: str, seconds: int, keep: bool) -> int:
    """Feed one target; 0 when nothing was found."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: inputs are made by chance alone")
        return by_chance(target, seconds)
    with tempfile.TemporaryDirectory() as folder:
        return guided(target, seconds, keep, Path(folder))


def guided(target: str, seconds: int, keep: bool, folder: Path) -> int:
    """By coverage.  libFuzzer does not return, so it runs in a child."""
    begin, found = folder / "begin", folder / "found"
    for place, many in ((begin, corpus.inputs(target)), (found, [])):
        place.mkdir()
        for number, data in enumerate(many):
            (place / f"{number:04}").write_bytes(data)
    words = folder / "words"
    words.write_text(WORDS)
    command = [
        *(sys.executable, "-m", "tests.fuzz.guided", target, str(found), str(begin)),
        *(f"-max_total_time={seconds}", f"-max_len={corpus.LONGEST}"),
        *(f"-dict={words}", f"-artifact_prefix={folder}/", "-len_control=0"),
        *("-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"),
    ]
    status = subprocess.run(command, check=False).returncode
    for file in sorted(folder.glob("*-*")):
        print(f"{target} breaks with {file.read_bytes()!r}")
    new = sorted((file.read_bytes() for file in found.iterdir()), key=len)
    print(f"{target}: {len(new)} inputs took new ways")
    if keep and not status:
        corpus.keep(target, [*corpus.kept(target), *new][:KEPT])
    return int(status != 0)


def by_chance(target: str, seconds: int) -> int:
    """Change what the corpus has, here and there."""
    chance, begun, count = random.Random(), time.monotonic(), 0
    known = corpus.inputs(target)
    while time.monotonic() - begun < seconds:
        data = changed(chance, known)
        count += 1
        try:
            targets.TARGETS[target](data)
        except Exception:
            print(f"{target} breaks with {data!r}")
            raise
    print(f"{target}: {count} inputs, nothing found")
    return 0


def changed(chance: random.Random, known: Sequence[bytes]) -> bytes:
    """One of *known*, or two of them joined, with up to four changes."""
    data = bytearray(chance.choice(known))
    if chance.random() < 0.2:
        data += chance.choice(known)[1:]
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        kind = chance.randrange(3)
        if kind == 0:
            data[at:at] = bytes([chance.choice(b"\r\n\0 \t:,;x05+_\x0b\x7f\xff")])
        elif kind == 1:
            del data[at : at + chance.randint(1, 4)]
        else:
            data[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(data)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=", ".join(targets.TARGETS)
    )
    parser.add_argument("--seconds", type=int, default=60, help="in all (default 60)")
    parser.add_argument("--keep", action="store_true", help="add to the corpus")
    return parser


if __name__ == "__main__":
    sys.exit(main())
