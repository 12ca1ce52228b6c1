"""The kubelet's side of the sandboxes: start the zygote, have pods made, run programs in them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import aegis
from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.network.tables import Tables
from aegis.localcluster.kubelet.sandbox.channel import Channel, SandboxError
from aegis.localcluster.kubelet.sandbox.fabric import Fabric, Loopback, Switched
from aegis.localcluster.kubelet.sandbox.launch import Launch, SandboxPlan

_READY_SECONDS = 20.0
_ZYGOTE = "aegis.localcluster.kubelet.sandbox.zygote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a program ended.

    Attributes:
        code: its exit code; 128 and the signal when one ended it.
        out_of_memory: whether it was killed for using too much memory.
        message: what it wrote to its termination log.
    """

    code: int
    out_of_memory: bool = False
    message: str = ""


class Zygote:
    """The process that sandboxes are forked from, and the switch between them."""

    def __init__(self, base: Path, *, plain: bool = False) -> None:
        """Nothing is started yet.

        Args:
            base: an existing folder; with namespaces nothing is ever written to it outside the sandboxes' own view.
            plain: whether to do without namespaces.
        """
        self._base, self.plain = base, plain
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._fabric: Fabric = Loopback() if plain else Switched()
        self._sentry: Channel | None = None
        self.map_users = os.geteuid() == 0 and not plain

    async def start(self) -> None:
        """Start the zygote and the switch.

        Raises:
            OSError: the interpreter cannot be started.
            SandboxError: the zygote cannot fork.
        """
        here, there = wire.pair()
        with there:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _ZYGOTE, str(there.fileno()), str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, pass_fds=[there.fileno()],
                env={"PYTHONPATH": str(Path(aegis.__file__).parent.parent), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        self._channel = Channel(here, _ignore)
        await self._fabric.start(self._channel)

    async def watch(self, on_event: Callable[[wire.Message, list[int]], None]) -> Channel:
        """Start the sentry, which watches what programs do; `on_event` is told what it says.

        Raises:
            SandboxError: the zygote cannot fork.
        """
        mine, theirs = wire.pair()
        with theirs:
            await self._started.request({"op": "sentry"}, [theirs.fileno()])
        self._sentry = Channel(mine, on_event)
        return self._sentry

    async def sandbox(self, hostname: str, addresses: Sequence[str]) -> Sandbox:
        """Make a sandbox and connect it to the switch.

        Raises:
            SandboxError: namespaces, mounts or the network device were refused; the message says which.
        """
        plan = SandboxPlan(
            hostname=hostname,
            addresses=tuple(addresses),
            base=str(self._base),
            plain=self.plain,
            map_users=self.map_users,
        )
        mine, theirs = wire.pair()
        sandbox = Sandbox(mine)
        try:
            with theirs:
                await self._started.request({"op": "sandbox", "plan": asdict(plan)}, [theirs.fileno()])
            packets = await asyncio.wait_for(sandbox.ready, _READY_SECONDS)
            sandbox.on_close = await self._fabric.attach(packets, addresses)
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    async def tables(self, tables: Tables) -> None:
        """Have the switch go by these tables.

        Raises:
            SandboxError: the switch is gone.
        """
        await self._fabric.apply(tables)

    async def stop(self) -> None:
        """End the zygote, the switch, the sentry and every sandbox."""
        self._fabric.close()
        if self._sentry is not None:
            self._sentry.close()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            await self._process.wait()

    async def lost(self) -> None:
        """Wait for the zygote or the network to end by itself.

        Raises:
            SandboxError: one of them did.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_ends(self._started.closed.wait(), "the process that holds all pods has ended"))
            tasks.create_task(_ends(self._fabric.lost(), "the process that joins all pods has ended"))
            if self._sentry is not None:
                # Nobody answers the calls that pods wait for: they could not go on.
                tasks.create_task(_ends(self._sentry.closed.wait(), "the process that watches all pods has ended"))

    @property
    def _started(self) -> Channel:
        if self._channel is None:
            raise SandboxError("the zygote was not started")
        return self._channel


class Overseer(Protocol):
    """Who has a container's programs watched."""

    async def descriptors(self, stdio: Sequence[int], *, joined: bool) -> list[int]:
        """What a program is given in the place of its standard streams; what is new there is the caller's to close.

        Raises:
            SandboxError: nobody is there to watch.
        """
        ...


class Sandbox:
    """A pod's namespaces, through the agent that runs in them. Closing it ends everything inside."""

    def __init__(self, sock: socket.socket) -> None:
        self.ready: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.on_close: Callable[[], None] = lambda: None
        self._exits: dict[str, asyncio.Future[Exit]] = {}
        self._closed = False
        self._overseers: dict[str, Overseer] = {}
        self._channel = Channel(sock, self._event)

    @property
    def closed(self) -> bool:
        """Whether it is gone."""
        return self._closed

    def oversee(self, key: str, overseer: Overseer) -> None:
        """Have the container of this key watched, from its start on, and what joins it."""
        self._overseers[key] = overseer

    async def start(self, launch: Launch, stdio: Sequence[int]) -> asyncio.Future[Exit]:
        """Start a program with these three descriptors; the future tells how it ends.

        Raises:
            SandboxError: it does not run; the message is a container runtime's.
        """
        end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._exits[launch.key] = end
        given = [*stdio]
        try:
            overseer = self._overseers.get(launch.inside or launch.key)
            if overseer is not None:
                given = await overseer.descriptors(stdio, joined=launch.inside is not None)
            await self._channel.request({"op": "start", "launch": launch.to_message()}, given)
        except BaseException:
            self._exits.pop(launch.key, None)
            raise
        finally:
            for fd in {*given} - {*stdio}:
                os.close(fd)
        return end

    async def signal(self, key: str, number: int) -> None:
        """Send a signal to a program's first process; to one that has ended it does nothing.

        Raises:
            SandboxError: the sandbox is gone.
        """
        await self._channel.request({"op": "signal", "key": key, "signal": number})

    async def make_volume(
        self, name: str, *, size: int | None = None, in_memory: bool = False, gid: int | None = None
    ) -> None:
        """Make an empty volume, if it is not there.

        Raises:
            SandboxError: refused.
        """
        await self._channel.request({"op": "volume", "name": name, "size": size, "memory": in_memory, "gid": gid})

    async def keep_volume(self, name: str, folder: Path, *, gid: int | None = None) -> None:
        """Show a folder of this machine as a volume, if it is not there.

        Raises:
            SandboxError: refused.
        """
        await self._channel.request({"op": "kept", "name": name, "folder": str(folder), "gid": gid})

    async def write_volume(self, name: str, files: Mapping[str, Mapping[str, Any]], *, gid: int | None = None) -> None:
        """Replace a volume's files at once; each is `{"data": base64, "mode": bits}` by relative path.

        Raises:
            SandboxError: refused.
        """
        await self._channel.request({"op": "files", "name": name, "files": files, "gid": gid})

    async def socket(self, listen: tuple[str, int] | None = None) -> socket.socket:
        """A TCP socket of this sandbox's network, non-blocking: to connect, or listening already.

        Raises:
            SandboxError: refused.
        """
        message: wire.Message = {"op": "socket", "listen": listen is not None}
        if listen is not None:
            message["host"], message["port"] = listen
        _, fds = await self._channel.request(message)
        made = socket.socket(fileno=fds[0])
        made.settimeout(0)
        return made

    async def usage(self) -> dict[str, dict[str, float]]:
        """By program: `memory` (bytes) and `cpu` (seconds).

        Raises:
            SandboxError: the sandbox is gone.
        """
        answer, _ = await self._channel.request({"op": "stats"})
        usage: dict[str, dict[str, float]] = answer["usage"]
        return usage

    def close(self) -> None:
        """End everything inside."""
        self._channel.close()
        self._gone("the sandbox was closed")

    def _event(self, message: wire.Message, fds: list[int]) -> None:
        match message["event"]:
            case "ready" if not self.ready.done():
                self.ready.set_result(fds.pop() if fds else None)
            case "exit":
                end = self._exits.pop(message["key"], None)
                self._overseers.pop(message["key"], None)
                if end is not None and not end.done():
                    end.set_result(
                        Exit(
                            code=message["code"],
                            out_of_memory=message.get("oom", False),
                            message=message.get("message", ""),
                        )
                    )
            case "failed":
                self._gone(message["error"])
            case _:
                self._gone("the sandbox ended")
        for fd in fds:
            os.close(fd)

    def _gone(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(SandboxError(why))
            self.ready.exception()
        for end in self._exits.values():
            if not end.done():
                end.set_result(Exit(code=137))
        self._exits.clear()
        if not self._closed:
            self._closed = True
            self.on_close()


def _ignore(_message: wire.Message, fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


async def _ends(end: Awaitable[object], why: str) -> None:
    await end
    raise SandboxError(why)
