"""Plays the controller for tests of the spawn server: real processes, no Twisted."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

from passtwist.model import WORKER, AppSpec, ExitStatus, SpawnRequest
from passtwist.spawning import code_folder
from passtwist.wire import session
from passtwist.wire.control import (
    MessageReader,
    encode_message,
    spawn_request_to_body,
)
from passtwist.wire.frames import MAX_CONTROL_PAYLOAD, FrameReader
from passtwist.wire.journey import (
    FailedRecord,
    ReadyRecord,
    StartedRecord,
    StepRecord,
    decode_record,
)
from passtwist.wire.scoreboard import PAGE_SIZE

PATIENCE = 20.0  # seconds until a test gives up waiting; never a measure of speed
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37


@contextlib.contextmanager
def subreaper():
    """Orphans below this process become its children, for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def until(condition, what="the condition"):
    """Wait for *condition* to answer something true, and answer it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about in {PATIENCE:.0f} s")


def wait_readable(end, what):
    """Wait until something can be read from *end*."""
    readable, _, _ = select.select([end], [], [], PATIENCE)
    assert readable, f"nothing came from {what} in {PATIENCE:.0f} s"


@dataclass
class Answer:
    """What a worker answered."""

    head: bytes = b""
    body: bytes = b""
    interim: list = field(default_factory=list)
    ended: bool = False
    failed: bool = False


class Session:
    """A connection to a worker."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self._frames = FrameReader(MAX_CONTROL_PAYLOAD)
        ((kind, _, payload),) = self.read_frames()
        assert kind == session.READY
        self.slot = session.decode_ready(payload)

    def read_frames(self):
        """The frames that come next; none at end-of-file."""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return []
            frames = self._frames.feed(data)
            if frames:
                return frames

    def ask(self, path="/", number=1, **pairs):
        """Send a request without a body."""
        pairs = {"REQUEST_METHOD": "GET", "PATH_INFO": path, **pairs}
        flat = [text.encode("latin-1") for pair in pairs.items() for text in pair]
        self.socket.sendall(session.encode_request_start(number, flat, session.LAST))

    def answer(self):
        """Read one answer to its end."""
        answer = Answer()
        while not (answer.ended or answer.failed):
            frames = self.read_frames()
            if not frames:
                return answer
            for kind, flags, payload in frames:
                if kind == session.START:
                    answer.head = payload
                elif kind == session.BODY:
                    answer.body += payload
                elif kind == session.INTERIM:
                    answer.interim.append(payload)
                answer.failed = kind == session.FAIL
                answer.ended = kind == session.END or bool(flags & session.LAST)
        return answer

    def get(self, path="/", number=1, **pairs):
        """Ask and read the body of the answer."""
        self.ask(path, number, **pairs)
        return self.answer().body.decode()

    def close(self):
        self.socket.close()


class Spawn:
    """One spawn, as the controller sees it."""

    def __init__(self, driver, request, handshake, ours, page, path):
        self.driver = driver
        self.request = request
        self.socket_path = path
        self.records = []
        self.is_over = False
        self._handshake = handshake
        self.lifelines = {layer: ends[0] for layer, ends in ours.items()}
        self.output = dict.fromkeys(ours, b"")
        self.stacks = dict.fromkeys(ours, b"")
        self._outputs = {ends[1]: (self.output, layer) for layer, ends in ours.items()}
        for layer, ends in ours.items():
            self._outputs[ends[2]] = (self.stacks, layer)
        self._memory = page
        self.scoreboard = memoryview(page).cast("Q")

    def only(self, kind):
        """The records of one kind, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def pid(self, who):
        """The pid that a newly started process has reported."""
        (pid,) = [each.pid for each in self.only(StartedRecord) if each.who == who]
        return pid

    def started(self):
        """Which layers were newly started, in order."""
        return [each.who for each in self.only(StartedRecord)]

    @property
    def failure(self):
        (failure,) = self.only(FailedRecord)
        return failure

    def steps(self, state="done"):
        """``who: step`` of those that ended in *state*."""
        return [
            f"{each.who}: {each.step}"
            for each in self.only(StepRecord)
            if each.state == state
        ]

    def wait(self):
        """Read records, and what is printed, until the handshake ends."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_over:
            left = deadline - time.monotonic()
            assert left > 0, f"no end of {self.records}, output {self.output}"
            self._turn(left)
        self.drain()
        return self

    def wait_for_step(self, step):
        """Read records until *step* has begun."""
        deadline = time.monotonic() + PATIENCE
        while step not in [each.step for each in self.only(StepRecord)]:
            assert time.monotonic() < deadline and not self.is_over, self.records
            self._turn(deadline - time.monotonic())

    def ready(self):
        """Wait until the worker is ready; answers its pid."""
        self.wait()
        assert self.only(ReadyRecord), (self.records, self.output)
        return self.pid(WORKER)

    def turned(self):
        """The steps that are done, after a look at what has come."""
        self._turn(0.1)
        return self.steps()

    def give_up(self):
        """Do not listen any more."""
        self._handshake.close()
        for layer in list(self.lifelines):
            if layer == WORKER:
                self.cut(layer)

    def _turn(self, timeout):
        watched = [self._handshake, *self._outputs]
        readable, _, _ = select.select(watched, [], [], timeout)
        for end in readable:
            if end is not self._handshake:
                self._read_output(end)
                continue
            packet = self._handshake.recv(1 << 20)
            if packet:
                self.records.append(decode_record(packet))
            else:
                self.is_over = True

    def _read_output(self, end):
        try:
            data = os.read(end, 1 << 20)
        except BlockingIOError:
            return
        told, layer = self._outputs[end]
        told[layer] += data
        if not data:
            os.close(end)
            del self._outputs[end]

    def drain(self):
        """Take what has been printed so far."""
        readable = list(self._outputs)
        while readable:
            readable, _, _ = select.select(list(self._outputs), [], [], 0)
            for end in readable:
                self._read_output(end)

    def cut(self, layer):
        """Close a lifeline."""
        os.close(self.lifelines.pop(layer))

    def connect(self):
        """A session with the worker."""
        found = Session(self.socket_path)
        self.driver.sessions.append(found)
        return found

    def close(self):
        for layer in list(self.lifelines):
            self.cut(layer)
        for end in self._outputs:
            os.close(end)
        self._outputs.clear()
        self._handshake.close()
        self.scoreboard.release()
        self._memory.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket_path)


class Driver:
    """Starts a manager, and spawns through it."""

    def __init__(self, folder, children=None):
        self.folder = folder
        self.code = folder / "code"
        code_folder.fill(self.code, children or {})
        self.spawns = []
        self.sessions = []
        self.notices = []
        self._reader = MessageReader()
        self._numbers = 0
        self.log = (folder / "manager.log").open("w+b")
        self.start_manager()

    def start_manager(self):
        """Start one, or another in place of one that died."""
        self.control, theirs = socket.socketpair()
        lifeline, self.lifeline = os.pipe()
        given = (self.log.fileno(), self.log.fileno(), theirs.fileno(), lifeline)
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 64) for end in given]
        self.manager = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(self.code / "bootstrap.py"), "manager"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                *((os.POSIX_SPAWN_DUP2, end, at) for at, end in enumerate(high, 1)),
            ],
            setsid=True,
        )
        for end in (lifeline, *high):
            os.close(end)
        theirs.close()

    def replace_manager(self):
        """The old one is dead."""
        self.control.close()
        os.close(self.lifeline)
        self.start_manager()

    def spawn(self, app, route=(), generation=0, **fields):
        """Send a spawn down."""
        self._numbers += 1
        request = SpawnRequest(self._numbers, app, tuple(route), generation, **fields)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = str(self.folder / f"{self._numbers}.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(16)
        page = os.memfd_create("page")
        os.ftruncate(page, PAGE_SIZE)
        sent = {
            "handshake": theirs.detach(),
            "listener": listener.detach(),
            "scoreboard": page,
        }
        kept = {}
        for layer in (*route, WORKER):
            prefix = "" if layer == WORKER else layer + "."
            sent[prefix + "lifeline"], lifeline = os.pipe()
            output, sent[prefix + "output"] = os.pipe()
            stacks, sent[prefix + "stacks"] = os.pipe()
            os.set_blocking(output, False)
            os.set_blocking(stacks, False)
            kept[layer] = (lifeline, output, stacks)
        memory = mmap.mmap(page, PAGE_SIZE)
        message = encode_message("spawn", spawn_request_to_body(request), list(sent))
        socket.send_fds(self.control, [message], list(sent.values()))
        for descriptor in sent.values():
            os.close(descriptor)
        spawn = Spawn(self, request, ours, kept, memory, path)
        self.spawns.append(spawn)
        return spawn

    def tell(self, kind, **body):
        """Send another message down."""
        self.control.sendall(encode_message(kind, body))

    def notice(self):
        """The next message from the manager."""
        while not self.notices:
            wait_readable(self.control, "the manager")
            self.notices.extend(self._reader.feed(self.control.recv(65536)))
        return self.notices.pop(0)

    def close(self):
        """End everything; nothing may be left."""
        for found in self.sessions:
            found.close()
        for spawn in self.spawns:
            spawn.close()
        self.control.close()
        os.close(self.lifeline)
        reap_all()
        self.log.close()


def reap(pid):
    """Wait for a child, the way the controller does."""
    pidfd = os.pidfd_open(pid)
    try:
        wait_readable(pidfd, f"process {pid}")
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    finally:
        os.close(pidfd)
    return ExitStatus.from_wait_status(os.waitpid(pid, 0)[1])


def reap_all():
    """Wait for every child that is left; each must end."""

    def none_left():
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False

    until(none_left, "the end of all processes")


def is_alive(pid):
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid):
    """The pid of the process's parent."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def descriptors_of(pid):
    """What the process has open."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


def kill(pid):
    """SIGKILL to a process that the test has started."""
    os.kill(pid, signal.SIGKILL)


def make_app(folder, source, entry="site_app.py:app", **fields):
    """An app of one file with *source*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site_app.py").write_text(source)
    fields.setdefault("python", sys.executable)
    return AppSpec(name=folder.name, root=str(folder), entry=entry, **fields)
