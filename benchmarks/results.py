"""What a run of the benchmarks yields: samples, absences, and where it ran."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Column:
    """A figure that a measure takes.

    :ivar better: "more" or "less"; empty for one that is neither.
    :ivar steady: its spread says whether the run was quiet enough.
    """

    key: str
    title: str
    unit: str
    better: str = "less"
    steady: bool = False


@dataclass(frozen=True)
class Sample:
    """The figures of one server, for one case, in one round."""

    measure: str
    case: str
    server: str
    round: int
    values: dict[str, float]


@dataclass(frozen=True)
class Absence:
    """Why there is no figure.

    :ivar kind: "missing" (not installed), "not yet" (ours, not built),
        "none" (the server has no such thing) or "failed".
    :ivar case: empty for all cases of the measure.
    """

    measure: str
    case: str
    server: str
    kind: str
    reason: str


@dataclass
class Results:
    """Everything of one run.

    :ivar date: when it began, in ISO form, UTC.
    :ivar seconds: how long it took.
    """

    quick: bool = False
    date: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def from_dict(data: dict[str, Any]) -> Results:
    """The contrary of `Results.as_dict`."""
    samples = [Sample(**one) for one in data["samples"]]
    absences = [Absence(**one) for one in data["absences"]]
    return Results(**{**data, "samples": samples, "absences": absences})


def this_machine() -> dict[str, str]:
    """What can be told about it without telling which one it is."""
    processor = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024 // 1024
    return {
        "processors": str(len(os.sched_getaffinity(0))),
        "processor": processor,
        "memory": f"{memory} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
