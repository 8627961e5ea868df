"""What in this process would break in a forked copy of it.

Runs in: app spawners, before and after their app is loaded.

Looks at what the kernel knows (`/proc/self`), because threads and sockets of
C libraries are as dangerous as Python's.  The parts: `audit_threads`,
`audit_descriptors`, `audit_processes`, `audit_libraries`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, List, Sequence

from passtwist.model import UNSAFE, Finding
from passtwist.spawnserver import (
    audit_descriptors,
    audit_libraries,
    audit_processes,
    audit_threads,
)
from passtwist.spawnserver.audit_sources import Sources


class Sight:
    """What this process has at one moment.

    :ivar threads: kernel's thread number to the thread's name.
    :ivar descriptors: number to what it refers to, as /proc names it.
    :ivar children: pids.
    """

    def __init__(self) -> None:
        self.threads = audit_threads.look()
        self.descriptors = audit_descriptors.look()
        self.children = audit_processes.look()


def findings(before: Sight, sources: Sources) -> List[Finding]:
    """What is there now, and was not *before*, that a fork does not copy well.

    May fork, if there are threads: see `audit_threads.find`.

    :returns: what is unsafe first; one for each token.
    """
    now = Sight()
    opened = {
        number: target
        for number, target in now.descriptors.items()
        if before.descriptors.get(number) != target
    }
    found = [
        *audit_threads.find(before.threads, now.threads, sources),
        *audit_descriptors.find(opened, sources),
        *audit_processes.find(now.children - before.children, opened, sources),
        *audit_libraries.find(sources),
    ]
    by_token: Dict[str, Finding] = {}
    for finding in sorted(found, key=lambda one: one.level != UNSAFE):
        by_token.setdefault(finding.token, finding)
    return list(by_token.values())


def is_allowed(finding: Finding, allowed: Sequence[str]) -> bool:
    """Whether one of the tokens, or shell patterns of tokens, stands for it."""
    return any(
        finding.token == pattern or fnmatchcase(finding.token, pattern)
        for pattern in allowed
    )
