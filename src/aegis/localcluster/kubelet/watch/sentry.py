"""The process that looks at every watched call of all pods, and tells the kubelet which of them break a rule.

It has a process of its own, as the switch has, so that no pod waits for a busy API server. It answers each call at
once; what can only be known afterwards (that a program was executed, from which port a connection goes) is looked at
again a little later. Messages on the control socket: `watch` comes, with the socket by which a container will hand over
its listener, and `around`, with what the rules have to know of the cluster; `alert` and `lost` go.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.watch import calls, seccomp, tracee
from aegis.localcluster.kubelet.watch.alerts import alert
from aegis.localcluster.kubelet.watch.events import Connected, Event, Executed, Opened, Process, Subject
from aegis.localcluster.kubelet.watch.rules import Rule, Surroundings, broken, notable
from aegis.localcluster.kubelet.watch.seccomp import Notice

_LOOK_AGAIN_SECONDS, _GIVE_UP_SECONDS = 0.005, 10.0
_NO_PORT_SECONDS = 1.0
_PENDING_MAX = 512
_ALERTS_AT_ONCE, _ALERTS_A_SECOND = 1000, 100.0
_TELL_LOST_SECONDS = 1.0
_URGENCY = -10
_MEMORY_FILE, _DELETED = "/memfd:", " (deleted)"


def run(control: socket.socket) -> NoReturn:
    """Watch until the control socket closes."""
    with contextlib.suppress(PermissionError):
        os.nice(_URGENCY)  # every pod waits for it
    try:
        Sentry(control).serve()
    finally:
        os._exit(0)


@dataclass(slots=True, kw_only=True)
class _Watched:
    """One container's programs, or one that joined them.

    Attributes:
        subject: whose they are.
        listener: the descriptor of their filter; -1 until it is handed over.
        started_at: of the container, nanoseconds since the epoch.
        accounts: the names that the container has for its users.
        left: how many alerts it may still bring about; it grows with time.
        counted_at: when that was counted, by the monotonic clock.
    """

    subject: Subject
    listener: int = -1
    started_at: int = 0
    accounts: tracee.Accounts = field(default_factory=dict)
    left: float = _ALERTS_AT_ONCE
    counted_at: float = 0.0

    def may_tell(self, now: float) -> bool:
        """Whether there is room for one more: a pod that brings out thousands must not keep everybody busy."""
        grown = self.left + (now - self.counted_at) * _ALERTS_A_SECOND
        self.left, self.counted_at = min(grown, _ALERTS_AT_ONCE), now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True, kw_only=True)
class _Executing:
    """A call that will replace a process's program, if it succeeds."""

    watched: _Watched
    call: str
    at: int
    until: float
    image: tuple[str, ...] | None
    before: Process
    known: tracee.Status
    foreseen: tuple[Process, os.stat_result] | None


@dataclass(slots=True, kw_only=True)
class _Connecting:
    watched: _Watched
    event: Connected
    process: Process
    socket: socket.socket
    until: float


class Sentry:
    """The listeners of all pods."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        os.set_blocking(control.fileno(), False)
        self._calls = seccomp.Calls(os.uname().machine)
        self._outside = tracee.status(os.getpid()).filters
        self._around = Surroundings()
        self._poll = select.epoll()
        self._poll.register(control, select.EPOLLIN)
        self._doors: dict[int, tuple[socket.socket, Subject]] = {}
        self._watched: dict[int, _Watched] = {}
        self._started: dict[str, int] = {}
        self._executing: dict[int, _Executing] = {}
        self._connecting: list[_Connecting] = []
        self._look_at = self._lost_told_at = 0.0
        self._lost: dict[str, int] = {}

    def serve(self) -> None:
        """Return when the control socket closes."""
        while True:
            ready = self._poll.poll(self._patience())
            if any(fd == self._control.fileno() for fd, _ in ready) and not self._obey():
                return
            for fd, what in ready:
                if fd in self._watched:
                    self._look(self._watched[fd], what)
                elif fd in self._doors:
                    self._let_in(fd)
            now = time.monotonic()
            if now >= self._look_at:
                self._look_at = now + _LOOK_AGAIN_SECONDS
                self._look_again(now)
            if self._lost and now >= self._lost_told_at + _TELL_LOST_SECONDS:
                self._lost_told_at = now
                self._tell_lost()

    def _patience(self) -> float | None:
        """How many seconds to wait for something to happen."""
        if self._executing or self._connecting:
            return _LOOK_AGAIN_SECONDS
        return _TELL_LOST_SECONDS if self._lost else None

    # Whom to watch.

    def _obey(self) -> bool:
        received = wire.receive(self._control)
        if received is None:
            return False
        message, fds = received
        match message["op"]:
            case "watch":
                door = socket.socket(fileno=fds.pop())
                self._doors[door.fileno()] = (door, Subject.from_message(message["subject"]))
                self._poll.register(door, select.EPOLLIN)
            case "around":
                servers = frozenset((host, port) for host, port in message["api_servers"])
                self._around = Surroundings(api_servers=servers)
            case _:
                pass
        for fd in fds:
            os.close(fd)
        return True

    def _let_in(self, fd: int) -> None:
        door, subject = self._doors.pop(fd)
        self._poll.unregister(fd)
        with door, contextlib.suppress(OSError):
            data, fds, *_ = socket.recv_fds(door, 1, 1)
            if data and fds:
                self._begin(fds[0], subject)

    def _begin(self, listener: int, subject: Subject) -> None:
        now = time.time_ns()
        if not subject.joined:
            self._started[subject.container_id] = now
        seccomp.prepare(listener)
        started = self._started.get(subject.container_id, now)
        self._watched[listener] = _Watched(subject=subject, listener=listener, started_at=started)
        self._poll.register(listener, select.EPOLLIN)

    def _end(self, watched: _Watched) -> None:
        del self._watched[watched.listener]
        self._poll.unregister(watched.listener)
        os.close(watched.listener)
        if not watched.subject.joined:
            self._started.pop(watched.subject.container_id, None)

    # What they do.

    def _look(self, watched: _Watched, what: int) -> None:
        if not what & select.EPOLLIN:
            self._end(watched)
            return
        try:
            notice = self._calls.receive(watched.listener)
        except OSError:
            self._end(watched)
            return
        if notice is None:
            return
        with self._forgiving(watched):
            self._consider(watched, notice)
        seccomp.go_on(watched.listener, notice)

    @contextlib.contextmanager
    def _forgiving(self, watched: _Watched) -> Iterator[None]:
        """Go on whatever a pod's programs give to read: an odd one must not stop every pod."""
        try:
            yield
        except (tracee.GoneError, struct.error):
            pass  # it has died, or gave an address that holds nothing: the kernel will tell it so
        except Exception:  # noqa: BLE001 - the outermost door of one look at a process
            self._lose(watched)

    def _consider(self, watched: _Watched, notice: Notice) -> None:
        # What replaced a program calls from its first thread, whose number is the process's.
        if notice.thread in self._executing:
            self._note_executed(notice.thread, self._executing.pop(notice.thread))
        match notice.call:
            case "open" | "openat" | "openat2":
                self._opens(watched, notice)
            case "execve" | "execveat":
                self._executes(watched, notice)
            case "connect" | "socketcall":
                self._connects(watched, notice)

    def _opens(self, watched: _Watched, notice: Notice) -> None:
        at, aimed = time.time_ns(), calls.sensitive_file(notice)
        if aimed is None:
            return
        path, given = aimed
        event = Opened(call=notice.call, at=at, path=path, raw=given)
        known = tracee.status(notice.thread)
        if not tracee.may(known, tracee.regular_file(notice.thread, path), tracee.READ):
            return
        process = tracee.describe(known.pid, tracee.ancestors(known.parent, self._outside))
        rule = broken(event, process, self._around)
        if rule is None:
            return
        process = self._identified(watched, known, process)
        if seccomp.still_waits(watched.listener, notice):
            self._tell(watched, rule, event, process)

    def _executes(self, watched: _Watched, notice: Notice) -> None:
        if len(self._executing) >= _PENDING_MAX:
            self._lose(watched)
            return
        at, known = time.time_ns(), tracee.status(notice.thread)
        before = tracee.describe(known.pid, tracee.ancestors(known.parent, self._outside))
        pending = _Executing(
            watched=watched,
            call=notice.call,
            at=at,
            until=time.monotonic() + _GIVE_UP_SECONDS,
            image=tracee.image(known.pid),
            before=before,
            known=known,
            foreseen=calls.foreseen(notice, known, before),
        )
        if seccomp.still_waits(watched.listener, notice):
            self._executing[known.pid] = pending

    def _note_executed(self, pid: int, pending: _Executing) -> None:
        """Tell of a program that was executed; nothing if the call failed."""
        try:
            if tracee.image(pid) == pending.image:
                return
            found = tracee.describe(pid, pending.before.ancestors), tracee.executed_file(pid)
        except tracee.GoneError:
            if pending.foreseen is None:
                return
            found = pending.foreseen
        self._judge_program(pending, *found)

    def _judge_program(self, pending: _Executing, process: Process, file: os.stat_result) -> None:
        watched = pending.watched
        in_memory = process.exepath.startswith(_MEMORY_FILE)
        if in_memory:
            process = replace(process, exepath=process.exepath[1:].removesuffix(_DELETED))
        given = any(process.exepath.startswith(f"{folder}/") for folder in watched.subject.shown)
        event = Executed(
            call=pending.call,
            at=pending.at,
            dropped=file.st_ctime_ns > watched.started_at and not given and not in_memory,
            in_memory=in_memory,
            writable=tracee.may(pending.known, file, tracee.WRITE),
            changed_at=file.st_ctime_ns,
            modified_at=file.st_mtime_ns,
            container_started_at=watched.started_at,
        )
        rule = broken(event, process, self._around)
        if rule is not None:
            self._tell(watched, rule, event, self._identified(watched, pending.known, process))

    def _connects(self, watched: _Watched, notice: Notice) -> None:
        number, remote = calls.peer(notice)
        if remote is None or not notable(remote, self._around):
            return
        if len(self._connecting) >= _PENDING_MAX:
            self._lose(watched)
            return
        known = tracee.status(notice.thread)
        process = tracee.describe(known.pid, tracee.ancestors(known.parent, self._outside))
        process = self._identified(watched, known, process)
        borrowed = tracee.borrowed_socket(known.pid, number)
        internet = borrowed.family in {socket.AF_INET, socket.AF_INET6}
        if not internet or not seccomp.still_waits(watched.listener, notice):
            borrowed.close()
            return
        event = Connected(
            at=time.time_ns(),
            family="ipv4" if borrowed.family == socket.AF_INET else "ipv6",
            protocol="tcp" if borrowed.type & socket.SOCK_STREAM else "udp",
            local=("", 0),
            remote=remote,
        )
        until = time.monotonic() + _NO_PORT_SECONDS
        self._connecting.append(
            _Connecting(watched=watched, event=event, process=process, socket=borrowed, until=until)
        )

    # What can only be known afterwards.

    def _look_again(self, now: float) -> None:
        for pid, pending in list(self._executing.items()):
            with self._forgiving(pending.watched):
                self._look_at_program(pid, pending, now)
        connecting, self._connecting = self._connecting, []
        for one in connecting:
            with self._forgiving(one.watched):
                self._look_at_connection(one, now)

    def _look_at_program(self, pid: int, pending: _Executing, now: float) -> None:
        with contextlib.suppress(tracee.GoneError):
            if tracee.image(pid) in {None, pending.image} and now < pending.until:
                return
        del self._executing[pid]
        self._note_executed(pid, pending)

    def _look_at_connection(self, one: _Connecting, now: float) -> None:
        """Tell of a connection, once it has a port to go from or long has none."""
        host, port = one.socket.getsockname()[:2]
        if not port and now < one.until:
            self._connecting.append(one)
            return
        one.socket.close()
        event = replace(one.event, local=(host, port))
        rule = broken(event, one.process, self._around)
        if rule is not None:
            self._tell(one.watched, rule, event, one.process)

    # Telling.

    def _identified(self, watched: _Watched, known: tracee.Status, process: Process) -> Process:
        return tracee.identify(process, known, watched.subject, accounts=watched.accounts, outside=self._outside)

    def _tell(self, watched: _Watched, rule: Rule, event: Event, process: Process) -> None:
        if not watched.may_tell(time.monotonic()):
            self._lose(watched)
            return
        told = alert(rule, event, process, watched.subject)
        try:
            wire.send(self._control, {"event": "alert", "node": watched.subject.node, "alert": told})
        except BlockingIOError:
            self._lose(watched)

    def _lose(self, watched: _Watched) -> None:
        node = watched.subject.node
        self._lost[node] = self._lost.get(node, 0) + 1

    def _tell_lost(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for node in list(self._lost):
                wire.send(self._control, {"event": "lost", "node": node, "count": self._lost[node]})
                del self._lost[node]
