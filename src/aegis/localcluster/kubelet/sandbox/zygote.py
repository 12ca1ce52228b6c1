"""The small process that all sandboxes are forked from.

Namespaces need a fork, and forking the cluster's own process (threads, an event loop, open sockets) would be slow and
unsafe. The zygote is single-threaded, imports little, and ends with the process that started it: by the parent-death
signal, and when its control socket closes. It adopts the sandboxes' first processes, whose parent-death signal in turn
is tied to it.

Started as `python -m aegis.localcluster.kubelet.sandbox.zygote FD PARENT`, where FD is a SEQPACKET socket.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.network import switchboard
from aegis.localcluster.kubelet.sandbox import agent, linux
from aegis.localcluster.kubelet.sandbox.launch import SandboxPlan
from aegis.localcluster.kubelet.watch import sentry

_NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
)
_USERS = 65536
_READY, _GO = b"r", b"g"


def serve(control: socket.socket) -> None:
    """Fork what is asked for until the control socket closes."""
    linux.adopt_orphans()
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        readable, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _reap()
        if control.fileno() in readable:
            received = wire.receive(control)
            if received is None:
                return
            _answer(control, *received)


def _answer(control: socket.socket, message: wire.Message, fds: list[int]) -> None:
    reply: wire.Message = {"id": message["id"]}
    try:
        if message["op"] == "sandbox":
            _fork_sandbox(SandboxPlan(**message["plan"]), socket.socket(fileno=fds.pop()))
        else:
            run = switchboard.run if message["op"] == "switch" else sentry.run
            _fork_service(socket.socket(fileno=fds.pop()), run)
    except OSError as error:
        reply["error"] = str(error)
    for fd in fds:
        os.close(fd)
    wire.send(control, reply)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork_service(control: socket.socket, run: Callable[[socket.socket], NoReturn]) -> None:
    """Fork what serves all sandboxes: the switch, or the sentry."""
    pid = os.fork()
    if pid == 0:
        own = _fresh(control)
        linux.die_with_parent(signal.SIGKILL)
        run(own)
    control.close()


def _fork_sandbox(plan: SandboxPlan, control: socket.socket) -> None:
    """Fork twice: a pid namespace begins with the child of the process that made it.

    Raises:
        OSError: the kernel refused; the message says what.
    """
    if plan.plain:
        _fork_plain(plan, control)
        return
    here, there = wire.pair()
    middle = os.fork()
    if middle == 0:
        here.close()
        _make_namespaces(plan, control, there)
    control.close()
    there.close()
    with here:
        fault = here.recv(1024)
        if fault == _READY:
            fault = _map_users(middle, map_users=plan.map_users)
            here.send(fault or _GO)
        os.waitpid(middle, 0)
        if not fault:
            # Only now is the agent the zygote's own child, to which its parent-death signal can be tied.
            here.send(_GO)
    if fault:
        raise OSError(errno.EPERM, fault.decode(errors="replace"))


def _fork_plain(plan: SandboxPlan, control: socket.socket) -> None:
    # No parent-death signal here: the agent has to outlive the zygote for as long as it takes to end its processes.
    if os.fork() == 0:
        agent.run(_fresh(control), plan)
    control.close()


def _map_users(pid: int, *, map_users: bool) -> bytes:
    uid, gid, count = (0, 0, _USERS) if map_users else (os.getuid(), os.getgid(), 1)
    process = Path(f"/proc/{pid}")
    try:
        if not map_users:
            (process / "setgroups").write_text("deny", encoding="utf-8")
        (process / "uid_map").write_text(f"0 {uid} {count}", encoding="utf-8")
        (process / "gid_map").write_text(f"0 {gid} {count}", encoding="utf-8")
    except OSError as error:
        return f"users cannot be mapped: {error.strerror}".encode()
    return b""


def _make_namespaces(plan: SandboxPlan, control: socket.socket, zygote: socket.socket) -> NoReturn:
    try:
        linux.unshare(_NAMESPACES)
        zygote.send(_READY)
        if zygote.recv(1024) == _GO and os.fork() == 0:
            _become_agent(plan, control, zygote)
    except OSError as error:
        zygote.send(f"namespaces refused: {error.strerror}".encode())
    finally:
        os._exit(0)


def _become_agent(plan: SandboxPlan, control: socket.socket, zygote: socket.socket) -> None:
    own = _fresh(control, keep=zygote.fileno())
    # The process between has to be gone first: its end would count as the parent's death.
    if zygote.recv(1024) == _GO:
        zygote.close()
        linux.die_with_parent(signal.SIGKILL)
        agent.run(own, plan)


def _fresh(control: socket.socket, keep: int = -1) -> socket.socket:
    """Close everything that the zygote had open, but for this socket and the standard streams."""
    signal.set_wakeup_fd(-1)
    kept = {control.fileno(), keep}
    for entry in list(Path("/proc/self/fd").iterdir()):
        fd = int(entry.name)
        if fd > 2 and fd not in kept:  # noqa: PLR2004 - the standard streams
            with contextlib.suppress(OSError):
                os.close(fd)
    return control


def main(fd: int, parent: int) -> None:
    """Be the zygote of the process `parent`."""
    linux.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        return
    os.setsid()
    with socket.socket(fileno=fd) as control:
        serve(control)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
