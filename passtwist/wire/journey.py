"""Journey records: what the processes of one spawn say about it.

Runs in: the controller (reads) and every process of a spawn (writes).

Each spawn has a SOCK_SEQPACKET socketpair of its own; its lower end travels
down with the request, and each process on the way writes records to it: one
record is one packet, so several writers cannot mix.  End-of-file without
``ready`` or ``failed`` means that whoever held the spawn died.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from passtwist.errors import BadFrame
from passtwist.model import SPAWN_FAILURES, UNSAFE, WARNING, Scene
from passtwist.wire.scoreboard import SLOTS

# A packet must fit a socket's send buffer (212,992 bytes by default).  What
# can be long is cut by the writer; and cut in half, again and again, where that
# is not enough because characters are escaped, by six bytes or twelve each.
MAX_RECORD = 160 * 1024
MAX_TEXT = {"detail": 8 * 1024}
MAX_SHORT_TEXT = 2 * 1024
MAX_FINDINGS = 20
MAX_FINDING = 400
# Of a scene: how many items of each kind, and how long each is.
MAX_ITEMS = {"path": 24, "environ": 80, "own_files": 20}
MAX_ITEM = 200

# What a worker speaks on its socket.
SESSION = "session"
HTTP = "http"
# Of a worker that speaks HTTP; each connection is a descriptor of ours.
MAX_HTTP_CONCURRENCY = 10_000

BEGUN = "begun"
DONE = "done"
FAILED = "failed"


@dataclass(frozen=True)
class StepRecord:
    """A step began or ended.

    :ivar at: seconds on CLOCK_MONOTONIC.
    """

    who: str
    pid: int
    step: str
    state: str
    at: float


@dataclass(frozen=True)
class StartedRecord:
    """A process was newly started for this spawn and took its descriptors.

    The controller keeps the lifeline and output pipe that it sent down for
    *who* only when this record has come; a spawner that was there already
    sends none.  A worker sends it once it is the controller's child.
    """

    who: str
    pid: int


@dataclass(frozen=True)
class ReadyRecord:
    """The worker can accept.

    :ivar protocol: ``session`` or ``http``.
    :ivar concurrency: connections that it serves at a time.
    :ivar upgrades: protocols, in lower case, that it can go over to on a
        connection; for ``http`` only.
    """

    pid: int
    protocol: str
    concurrency: int
    upgrades: Tuple[str, ...] = ()


@dataclass(frozen=True)
class FailedRecord:
    """The spawn failed in the hands of *who*, during *step*.

    :ivar findings: the fork-safety audit's, for category ``unsafe-fork``.
    :ivar scene: where code of the app failed, if it did.
    """

    who: str
    pid: int
    step: str
    category: str
    summary: str
    advice: str = ""
    detail: str = ""
    findings: tuple[str, ...] = ()
    scene: Optional[Scene] = None


@dataclass(frozen=True)
class FindingRecord:
    """The fork-safety audit has found something; see `passtwist.model.Finding`.

    Comes before the `FailedRecord` that names it, or alone for a warning.
    """

    who: str
    pid: int
    token: str
    text: str
    level: str
    place: str
    hint: str


Record = Union[StepRecord, StartedRecord, ReadyRecord, FailedRecord, FindingRecord]

_TYPES = {
    "step": StepRecord,
    "started": StartedRecord,
    "ready": ReadyRecord,
    "failed": FailedRecord,
    "finding": FindingRecord,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}

_to_json = json.JSONEncoder(separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring_ascii
_STEP = '{"t":"step","who":%s,"pid":%d,"step":%s,"state":%s,"at":%r}'


def cut(text: str, limit: int) -> str:
    """The last *limit* characters: the end of a traceback says most."""
    return text if len(text) <= limit else "[...]\n" + text[6 - limit :]


def encode_record(record: Record) -> bytes:
    """One packet; texts that are too long lose their beginning."""
    for divisor in (1, 2, 4, 8):
        packet = _encode(record, divisor)
        if len(packet) <= MAX_RECORD:
            break
    return packet


def encode_step(who: str, pid: int, step: str, state: str, at: float) -> bytes:
    """As `encode_record` of a `StepRecord`, which each process of a spawn makes
    several of: in one expression, so that little memory is touched by it."""
    words = (_quoted(who), pid, _quoted(step), _quoted(state), at)
    return (_STEP % words).encode("ascii")


def _encode(record: Record, divisor: int) -> bytes:
    body: Dict[str, Any] = {"t": _NAMES[type(record)], **_fields(record, divisor)}
    return _to_json(body).encode("ascii", "backslashreplace")


def _fields(value: object, divisor: int) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, part in vars(value).items():
        if isinstance(part, str):
            part = cut(part, MAX_TEXT.get(name, MAX_SHORT_TEXT) // divisor)
        elif isinstance(part, tuple):
            count = MAX_ITEMS.get(name, MAX_FINDINGS)
            limit = (MAX_ITEM if name in MAX_ITEMS else MAX_FINDING) // divisor
            part = [cut(item, limit) for item in part[:count]]
        elif isinstance(part, Scene):
            part = _fields(part, divisor)
        found[name] = part
    return found


def decode_record(packet: bytes) -> Record:
    """The record in one packet.

    Strict, because an app's own code runs in the process that writes it.

    :raises BadFrame: not a record.
    """
    if len(packet) > MAX_RECORD:
        raise BadFrame("journey record of %d bytes" % len(packet))
    try:
        body = json.loads(packet.decode("ascii"))
        cls = _TYPES[body.pop("t")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadFrame("not a journey record: %r" % (error,)) from None
    try:
        if cls is FailedRecord:
            body = _failure(body)
        elif type(body.get("upgrades")) is list:
            body["upgrades"] = tuple(body["upgrades"])
        record: Record = cls(**body)
    except TypeError as error:
        raise BadFrame("journey record: %s" % error) from None
    _check(record)
    return record


def _failure(body: Mapping[str, Any]) -> Dict[str, Any]:
    """With tuples for arrays.

    :raises TypeError: its scene is none.
    """
    found = dict(body)
    if isinstance(found.get("findings"), list):
        found["findings"] = tuple(found["findings"])
    scene = found.get("scene")
    if isinstance(scene, dict):
        arrays = {
            name: tuple(value) for name, value in scene.items() if type(value) is list
        }
        found["scene"] = Scene(**{**scene, **arrays})
    return found


_KINDS: Dict[str, Tuple[type, ...]] = {
    "at": (int, float),
    "pid": (int,),
    "concurrency": (int,),
    "findings": (tuple,),
    "upgrades": (tuple,),
    "scene": (Scene, type(None)),
    **dict.fromkeys(MAX_ITEMS, (tuple,)),
}


def _check_fields(of: object) -> None:
    for name, value in vars(of).items():
        if not isinstance(value, _KINDS.get(name, (str,))) or isinstance(value, bool):
            raise BadFrame("journey record: %s is %r" % (name, value))
        if isinstance(value, tuple) and not all(isinstance(one, str) for one in value):
            raise BadFrame("journey record: %s is %r" % (name, value))
        if isinstance(value, Scene):
            _check_fields(value)


def _check(record: Record) -> None:
    _check_fields(record)
    if isinstance(record, StepRecord) and record.state not in (BEGUN, DONE, FAILED):
        raise BadFrame("journey record: state %r" % record.state)
    if isinstance(record, FindingRecord) and record.level not in (UNSAFE, WARNING):
        raise BadFrame("journey record: level %r" % record.level)
    if isinstance(record, FailedRecord) and record.category not in SPAWN_FAILURES:
        raise BadFrame("journey record: category %r" % record.category)
    if isinstance(record, ReadyRecord) and not _is_ready(record):
        raise BadFrame("journey record: %r" % (record,))


def _is_ready(record: ReadyRecord) -> bool:
    if record.protocol == HTTP:
        return 1 <= record.concurrency <= MAX_HTTP_CONCURRENCY and not any(
            is_http(protocol) for protocol in record.upgrades
        )
    # So many connections are made; their slots are on the scoreboard's page.
    fits = 1 <= record.concurrency <= SLOTS
    return record.protocol == SESSION and fits and not record.upgrades


def is_http(protocol: str) -> bool:
    """Whether going over to *protocol* leaves it HTTP, or makes it TLS.

    In such a tunnel clients would send requests that nobody has checked.
    """
    name = protocol.lower().partition("/")[0]
    return name in ("http", "h2c", "h2", "h3", "tls")
