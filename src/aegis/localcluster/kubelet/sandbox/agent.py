"""The first process of a pod's sandbox: it starts containers, writes volumes, reaps, and watches memory.

It is forked from the zygote, single-threaded, and lives exactly as long as its control socket: when the kubelet dies,
the socket closes, this process ends, and the kernel ends everything else in the sandbox with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.sandbox.ground import Ground, Namespaces, PlainProcesses
from aegis.localcluster.kubelet.sandbox.launch import Launch, SandboxPlan
from aegis.localcluster.kubelet.sandbox.process import StartError, exit_code
from aegis.localcluster.kubelet.sandbox.volume_files import VolumeStore

MEMORY_POLL_SECONDS = 0.06
_MESSAGE_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    key: str
    pid: int
    container: bool


def run(control: socket.socket, plan: SandboxPlan) -> NoReturn:
    """Be the first process of the sandbox until the control socket closes."""
    ground: Ground = PlainProcesses(plan) if plan.plain else Namespaces(plan)
    try:
        _Agent(control, ground).serve()
    except BaseException as error:  # noqa: BLE001 - the outermost door of a forked process: it must not return
        with contextlib.suppress(OSError):
            wire.send(control, {"event": "failed", "error": f"{type(error).__name__}: {error}"})
    finally:
        ground.leave()
        os._exit(0)


class _Agent:
    def __init__(self, control: socket.socket, ground: Ground) -> None:
        self._control, self._ground, self._base = control, ground, ground.base
        self._programs: dict[int, _Program] = {}
        self._memory = ground.memory
        self._volumes = VolumeStore(self._base / "volumes", can_mount=ground.can_mount)

    def serve(self) -> None:
        packets = self._ground.prepare()
        woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        wire.send(self._control, {"event": "ready"}, [] if packets is None else [packets.fileno()])
        if packets is not None:
            packets.close()
        control = self._control.fileno()
        while True:
            wait = MEMORY_POLL_SECONDS if self._memory.watching else None
            readable, _, _ = select.select([control, woken], [], [], wait)
            if woken in readable:
                os.read(woken, 4096)
            if control in readable and not self._answer_one():
                return
            self._reap()
            self._enforce_memory()

    def _answer_one(self) -> bool:
        received = wire.receive(self._control)
        if received is None:
            return False
        message, fds = received
        operation = getattr(self, "_do_" + str(message["op"]))
        answer: dict[str, Any]
        out: list[int] = []
        try:
            answer, out = operation(message, fds)
        except (OSError, StartError, KeyError, ValueError) as error:
            answer = {"error": str(error), "errno": getattr(error, "errno", None)}
        wire.send(self._control, {"id": message["id"], **answer}, out)
        for fd in (*fds, *out):
            os.close(fd)
        return True

    def _do_start(self, message: wire.Message, fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        launch = Launch.from_message(message["launch"])
        joined = None
        if launch.inside is not None:
            joined = self._pid_of(launch.inside)
        elif launch.root is not None:
            termination = self._base / "termination" / launch.key
            termination.write_bytes(b"")
            termination.chmod(0o666)
        pid = self._ground.start(launch, fds, joined)
        self._programs[pid] = _Program(key=launch.key, pid=pid, container=launch.inside is None)
        if launch.inside is None:
            self._memory.add(launch.key, pid, launch.memory_limit)
        return {}, []

    def _do_volume(self, message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        self._volumes.make(message["name"], size=message["size"], in_memory=message["memory"], gid=message["gid"])
        return {}, []

    def _do_kept(self, message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        self._volumes.keep(message["name"], Path(message["folder"]), gid=message["gid"])
        return {}, []

    def _do_files(self, message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        self._volumes.write(message["name"], message["files"], gid=message["gid"])
        return {}, []

    def _do_signal(self, message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        with contextlib.suppress(ProcessLookupError, LookupError):
            os.kill(self._pid_of(message["key"]), message["signal"])
        return {}, []

    def _do_stats(self, _message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        return {"usage": self._memory.usage()}, []

    def _do_socket(self, message: wire.Message, _fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
            if message.get("listen"):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind((message["host"], message["port"]))
                made.listen(64)
            return {}, [made.detach()]

    def _pid_of(self, key: str) -> int:
        for program in self._programs.values():
            if program.key == key:
                return program.pid
        raise OSError(errno.ESRCH, "container not running", key)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            program = self._programs.pop(pid, None)
            if program is not None:
                self._tell_end(program, exit_code(status))

    def _tell_end(self, program: _Program, code: int) -> None:
        event: dict[str, Any] = {"event": "exit", "key": program.key, "code": code}
        if program.container:
            self._ground.ended(program.key)
            file = self._base / "termination" / program.key
            event["oom"] = self._memory.remove(program.key)
            event["message"] = file.read_bytes()[:_MESSAGE_MAX].decode("utf-8", "replace")
            file.unlink()
        wire.send(self._control, event)

    def _enforce_memory(self) -> None:
        for pid in self._memory.beyond_limit():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
