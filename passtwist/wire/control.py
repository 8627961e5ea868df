"""Control messages between the controller and the layers of the spawn server.

Runs in: the controller, the spawn manager and every spawner.

A message is one frame of type MESSAGE with a JSON object: ``v`` the version,
``type`` what it is, ``fds`` the names of the descriptors that travel with it
(SCM_RIGHTS) in that order, and its own fields.  Never pickle: the other end
may run another Python, or another user's code.

Downwards: ``spawn`` (a SpawnRequest; descriptors below) and ``retire``
(``{"app": name}``: end the app spawners of that app; with ``"below": N`` only
those of generations before N).  Upwards:
``spawner_exited`` (``{"kind", "pid", "app", "code", "signal"}``).  Everything
that concerns one spawn goes over that spawn's own handshake socket instead
(`passtwist.wire.journey`).

Descriptors of ``spawn``: ``handshake``; ``listener``, ``scoreboard``,
``lifeline``, ``output`` and ``stacks`` for the worker; and for each layer of the
route, in case it has to be started, ``LAYER.`` and those three.  Who
forwards a message closes its copies; who does not need a layer's descriptors
closes them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from passtwist.errors import BadFrame, FrameTooLarge, VersionMismatch
from passtwist.model import AppSpec, SpawnRequest
from passtwist.wire.frames import MAX_CONTROL_PAYLOAD, FrameReader, encode_frame

MESSAGE = 16
VERSION = 1
# One sendmsg carries at most 253 descriptors (SCM_MAX_FD); a spawn through
# both spawner layers takes 12.
MAX_DESCRIPTORS = 32


@dataclass(frozen=True)
class Message:
    """One decoded control message.

    :ivar kind: what it is, for example ``spawn``.
    :ivar body: its own fields.
    :ivar fds: names of the descriptors that came with it.
    """

    kind: str
    body: Mapping[str, Any]
    fds: Tuple[str, ...] = ()


def encode_message(
    kind: str, body: Mapping[str, Any], fds: Sequence[str] = ()
) -> bytes:
    """A control message as one frame.

    :raises FrameTooLarge: over MAX_CONTROL_PAYLOAD.
    :raises BadFrame: more than MAX_DESCRIPTORS descriptors.
    """
    if len(fds) > MAX_DESCRIPTORS:
        raise BadFrame("%d descriptors in one control message" % len(fds))
    envelope = {"v": VERSION, "type": kind, "fds": list(fds), "body": dict(body)}
    payload = json.dumps(envelope, separators=(",", ":")).encode("ascii")
    if len(payload) > MAX_CONTROL_PAYLOAD:
        raise FrameTooLarge(
            "control message %r has %d bytes; the limit is %d"
            % (kind, len(payload), MAX_CONTROL_PAYLOAD)
        )
    return encode_frame(MESSAGE, payload)


def decode_message(payload: bytes) -> Message:
    """A control message from a frame's payload.

    :raises VersionMismatch: the other end runs other code than we do.
    :raises BadFrame: anything else that is not a message.
    """
    try:
        envelope = json.loads(payload.decode("ascii"))
        version = envelope["v"]
        kind, body, fds = envelope["type"], envelope["body"], envelope["fds"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadFrame("not a control message: %r" % (error,)) from None
    if version != VERSION:
        raise VersionMismatch(
            "control protocol version %r; this end speaks %d" % (version, VERSION)
        )
    if (
        not isinstance(kind, str)
        or not isinstance(body, dict)
        or not isinstance(fds, list)
        or len(fds) > MAX_DESCRIPTORS
        or not all(isinstance(name, str) for name in fds)
    ):
        raise BadFrame("a control message with fields of the wrong kind")
    return Message(kind, body, tuple(fds))


class MessageReader:
    """Cut a control channel's bytes into messages."""

    def __init__(self) -> None:
        self._frames = FrameReader(MAX_CONTROL_PAYLOAD)

    def feed(self, data: bytes) -> List[Message]:
        """Messages that are complete now.

        :raises WireError: the channel is unusable from here on.
        """
        messages = []
        for kind, _flags, payload in self._frames.feed(data):
            if kind != MESSAGE:
                raise BadFrame("frame of type %d on a control channel" % kind)
            messages.append(decode_message(payload))
        return messages


def spawn_request_to_body(request: SpawnRequest) -> Dict[str, Any]:
    """The fields of a ``spawn`` message."""
    return asdict(request)


class SpawnRequestReader:
    """Takes the requests from the ``spawn`` messages of one channel.

    An app that came with the last one already is not looked at again: spawners
    fork, and what they touch for each spawn is copied for each worker.
    """

    def __init__(self) -> None:
        self._fields: object = None
        self._app: Optional[AppSpec] = None

    def read(self, body: Mapping[str, Any]) -> SpawnRequest:
        """The request in a message.

        :raises BadFrame: fields missing, unknown or of the wrong kind.
        """
        try:
            if self._app is None or body["app"] != self._fields:
                self._fields, self._app = body["app"], _app_from(body["app"])
            return SpawnRequest(
                number=int(body["number"]),
                app=self._app,
                route=tuple(body["route"]),
                generation=int(body["generation"]),
                spawner_idle_time=float(body["spawner_idle_time"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadFrame("not a spawn request: %r" % (error,)) from None


def spawn_request_from_body(body: Mapping[str, Any]) -> SpawnRequest:
    """The request in a ``spawn`` message.

    :raises BadFrame: fields missing, unknown or of the wrong kind.
    """
    return SpawnRequestReader().read(body)


def _app_from(found: Any) -> AppSpec:
    app = dict(found)
    names = {f.name for f in fields(AppSpec)}
    if set(app) != names:
        raise BadFrame("app fields differ: %s" % sorted(set(app) ^ names))
    for name in ("warmup", "fork_allow", "framework_key", "groups"):
        app[name] = tuple(app[name])
    app["limits"] = tuple((str(key), int(value)) for key, value in app["limits"])
    app["env"] = tuple((str(key), str(value)) for key, value in app["env"])
    return AppSpec(**app)
