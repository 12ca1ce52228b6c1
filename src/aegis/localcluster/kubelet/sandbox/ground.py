"""What an agent stands on: namespaces of its own, or (where those are refused) nothing but processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from aegis.localcluster.kubelet.sandbox import linux, netlink
from aegis.localcluster.kubelet.sandbox.launch import Launch, SandboxPlan
from aegis.localcluster.kubelet.sandbox.memory import MemoryWatch, Processes
from aegis.localcluster.kubelet.sandbox.process import spawn, spawn_plain
from aegis.localcluster.kubelet.sandbox.relocate import Relocation, lay_out, search_path

MARK = "AEGIS_LOCAL_CONTAINER"
_ENDING_SECONDS = 5.0


class Ground(Protocol):
    """Where containers run.

    Attributes:
        base: the sandbox's folder.
        memory: what its containers use.
        can_mount: whether volumes can be file systems of their own.
    """

    base: Path
    memory: MemoryWatch
    can_mount: bool

    def prepare(self) -> socket.socket | None:
        """Set the sandbox up; the packet socket at the other end of its network, if it has one.

        Raises:
            OSError: something was refused; the message says what.
        """
        ...

    def start(self, launch: Launch, stdio: Sequence[int], joined: int | None) -> int:
        """Start a program and wait until it runs; its process id.

        Raises:
            StartError: it does not run.
            OSError: its files cannot be laid out.
        """
        ...

    def ended(self, key: str) -> None:
        """A container's first process has ended: nothing else of it may be left."""
        ...

    def leave(self) -> None:
        """End everything that is left, and leave no file."""
        ...


class Namespaces:
    """A sandbox in namespaces: the kernel ends everything with the first process."""

    can_mount = True

    def __init__(self, plan: SandboxPlan) -> None:
        self._plan, self.base = plan, Path(plan.base)
        self.memory = MemoryWatch(Processes(self.base / "proc"))

    def prepare(self) -> socket.socket | None:
        packets = netlink.connect(self._plan.addresses)
        # containerd's default: a pod's ports are its own, low ones too.
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0", encoding="utf-8")
        socket.sethostname(self._plan.hostname[:63])
        # A private tmpfs over an existing folder: the machine never sees what is in it.
        linux.mount("none", "/", "none", linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("tmpfs", self.base, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options="mode=0711")
        for name in ("scratch", "volumes", "termination", "proc"):
            (self.base / name).mkdir()
        linux.mount("proc", self.base / "proc", "proc")
        return packets

    def start(self, launch: Launch, stdio: Sequence[int], joined: int | None) -> int:
        return spawn(launch, stdio, self.base, joined, map_users=self._plan.map_users)

    def ended(self, key: str) -> None:
        """The pid namespace ended with its first process."""

    def leave(self) -> None:
        """The kernel does it."""


class PlainProcesses:
    """A sandbox that is none: processes that carry a mark, files in a folder of their own."""

    can_mount = False

    def __init__(self, plan: SandboxPlan) -> None:
        self.base = Path(plan.base) / f"{plan.hostname}-{os.getpid()}"
        self._tree = _Tree()
        self.memory = MemoryWatch(self._tree)
        self._relocations: dict[str, tuple[Path, Relocation]] = {}

    def prepare(self) -> socket.socket | None:
        linux.adopt_orphans()
        for name in ("volumes", "termination", "containers"):
            (self.base / name).mkdir(parents=True)
        return None

    def start(self, launch: Launch, stdio: Sequence[int], joined: int | None) -> int:  # noqa: ARG002 - nothing to join
        if launch.root is not None:
            top = self.base / "containers" / launch.key
            termination = self.base / "termination" / launch.key
            relocation = lay_out(launch, top, volumes=self.base / "volumes", termination=termination)
            self._relocations[launch.key] = (top, relocation)
        top, relocation = self._relocations[launch.inside or launch.key]
        env = {name: relocation.text(value) for name, value in launch.env.items() if name != "PATH"}
        env |= {
            "PATH": search_path(launch.env.get("PATH", ""), top),
            "HOME": str(top),
            MARK: launch.inside or launch.key,
        }
        moved = replace(
            launch,
            argv=tuple(map(relocation.text, launch.argv)),
            env=env,
            cwd=relocation.path(launch.cwd, top),
        )
        pid = spawn_plain(moved, stdio)
        self._tree.roots[pid] = launch.inside or launch.key
        return pid

    def ended(self, key: str) -> None:
        _kill_until_none(lambda: self._tree.marked(key))
        top, _ = self._relocations.pop(key, (None, None))
        if top is not None:
            shutil.rmtree(top, ignore_errors=True)

    def leave(self) -> None:
        _kill_until_none(self._tree.descendants)
        shutil.rmtree(self.base, ignore_errors=True)


def _kill_until_none(find: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + _ENDING_SECONDS
    while (pids := find()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.002)


class _Tree(Processes):
    """The descendants of this process, told apart by the mark in their environment."""

    def __init__(self) -> None:
        super().__init__(Path("/proc"))
        self.roots: dict[int, str] = {}

    def descendants(self) -> list[int]:
        """Every process below this one that still runs."""
        children: dict[int, list[int]] = {}
        for process in self.proc.iterdir():
            if process.name.isdigit() and (parent := self._living_parent(int(process.name))):
                children.setdefault(parent, []).append(int(process.name))
        found, open_ends = [], [os.getpid()]
        while open_ends:
            below = children.get(open_ends.pop(), [])
            found += below
            open_ends += below
        return found

    def marked(self, key: str) -> list[int]:
        """The processes of one container."""
        mark = f"{MARK}={key}".encode()
        return [pid for pid in self.descendants() if mark in self._environment(pid)]

    def group_of(self, pid: int) -> str | int:
        return self.roots.get(pid, pid)

    def groups(self) -> dict[str | int, list[int]]:
        found: dict[str | int, list[int]] = {}
        for pid in self.descendants():
            for entry in self._environment(pid):
                name, _, value = entry.partition(b"=")
                if name == MARK.encode():
                    found.setdefault(value.decode(), []).append(pid)
        return found

    def _environment(self, pid: int) -> list[bytes]:
        try:
            return (self.proc / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return []

    def _living_parent(self, pid: int) -> int:
        try:
            stat = (self.proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        state, parent = stat.rpartition(")")[2].split()[:2]
        return 0 if state in {"Z", "X"} else int(parent)
