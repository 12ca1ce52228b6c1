"""How much memory and processor time the containers of a sandbox use, and which of them use too much.

There is no cgroup to ask without rights outside the sandbox, so the processes of each container's pid namespace are
added up. Pages of files (the interpreter, libraries) do not count; pages that forked processes share count once.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_KIBIBYTE = 1024


class Processes:
    """The processes below a /proc, grouped by pid namespace: one a container."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc

    def group_of(self, pid: int) -> str | int:
        """The group of a container, by its first process.

        Raises:
            OSError: it has ended.
        """
        return (self.proc / str(pid) / "ns" / "pid").stat().st_ino

    def groups(self) -> dict[str | int, list[int]]:
        """Every process, by group."""
        found: dict[str | int, list[int]] = {}
        for process in self.proc.iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    found.setdefault(self.group_of(int(process.name)), []).append(int(process.name))
        return found


@dataclass(slots=True, kw_only=True)
class _Watched:
    pid: int
    group: str | int
    limit: int | None
    out_of_memory: bool = False


class MemoryWatch:
    """The containers of one sandbox."""

    def __init__(self, processes: Processes) -> None:
        self._processes, self._proc = processes, processes.proc
        self._containers: dict[str, _Watched] = {}

    @property
    def watching(self) -> bool:
        """Whether any container has a limit."""
        return any(container.limit is not None for container in self._containers.values())

    def add(self, key: str, pid: int, limit: int | None) -> None:
        """Count a started container; one that has ended already is not counted."""
        try:
            group = self._processes.group_of(pid)
        except OSError:
            group = 0
        self._containers[key] = _Watched(pid=pid, group=group, limit=limit)

    def remove(self, key: str) -> bool:
        """Forget a container that ended; whether it ended for using too much memory."""
        container = self._containers.pop(key, None)
        return container is not None and container.out_of_memory

    def beyond_limit(self) -> list[int]:
        """The first processes of the containers to be killed now."""
        if not self.watching:
            return []
        pids, beyond = self._processes.groups(), []
        for container in self._containers.values():
            if container.limit is None:
                continue
            own = pids.get(container.group, ())
            if sum(map(self._anonymous, own)) > container.limit and sum(map(self._shared_once, own)) > container.limit:
                container.out_of_memory = True
                beyond.append(container.pid)
        return beyond

    def usage(self) -> dict[str, dict[str, float]]:
        """For each container: `memory` in bytes, `cpu` in seconds since the processes that still run began."""
        pids = self._processes.groups()
        return {
            key: {
                "memory": sum(map(self._anonymous, pids.get(container.group, ()))),
                "cpu": sum(map(self._ticks, pids.get(container.group, ()))) / _TICK,
            }
            for key, container in self._containers.items()
        }

    def _anonymous(self, pid: int) -> int:
        try:
            fields = (self._proc / str(pid) / "statm").read_text(encoding="utf-8").split()
        except OSError:
            return 0
        return (int(fields[1]) - int(fields[2])) * _PAGE

    def _shared_once(self, pid: int) -> int:
        try:
            lines = (self._proc / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return 0
        wanted = ("Pss_Anon:", "Pss_Shmem:")
        return sum(int(line.split()[1]) * _KIBIBYTE for line in lines if line.startswith(wanted))

    def _ticks(self, pid: int) -> int:
        try:
            stat = (self._proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        # user, system and waited-for children's time: fields 14 to 17 of proc(5), after the name in parentheses.
        return sum(map(int, stat.rpartition(")")[2].split()[11:15]))
