"""What joins sandboxes: the switch between namespaces, or loopback addresses where there are none."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.network.loopback import LoopbackServices
from aegis.localcluster.kubelet.network.tables import Tables
from aegis.localcluster.kubelet.sandbox.channel import Channel, SandboxError


class Fabric(Protocol):
    """The network of all sandboxes."""

    async def start(self, zygote: Channel) -> None:
        """Begin.

        Raises:
            SandboxError: refused.
        """
        ...

    async def attach(self, packets: int | None, addresses: Sequence[str]) -> Callable[[], None]:
        """Join a sandbox; the answer takes it out again. The descriptor is closed here.

        Raises:
            SandboxError: the network is gone.
        """
        ...

    async def apply(self, tables: Tables) -> None:
        """Go by these tables.

        Raises:
            SandboxError: the network is gone.
        """
        ...

    async def lost(self) -> None:
        """Return when it ended by itself."""
        ...

    def close(self) -> None:
        """End."""
        ...


class Switched:
    """The switch, in a process of its own."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._ports = itertools.count(1)

    async def start(self, zygote: Channel) -> None:
        mine, theirs = wire.pair()
        with theirs:
            await zygote.request({"op": "switch"}, [theirs.fileno()])
        self._channel = Channel(mine, _ignore)

    async def attach(self, packets: int | None, addresses: Sequence[str]) -> Callable[[], None]:
        channel = self._started()
        if packets is None:
            raise SandboxError("the sandbox has no network")
        port = next(self._ports)
        with contextlib.closing(socket.socket(fileno=packets)):
            await channel.post({"op": "attach", "port": port, "addresses": list(addresses)}, [packets])
        return lambda: channel.post_soon({"op": "detach", "port": port})

    async def apply(self, tables: Tables) -> None:
        await self._started().post({"op": "tables", "tables": tables.to_message()})

    async def lost(self) -> None:
        await self._started().closed.wait()

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def _started(self) -> Channel:
        if self._channel is None:
            raise SandboxError("the switch was not started")
        return self._channel


class Loopback:
    """Plain processes of one machine: only Services need help."""

    def __init__(self) -> None:
        self._services = LoopbackServices()

    async def start(self, zygote: Channel) -> None:
        """Nothing has to be started."""

    async def attach(self, packets: int | None, addresses: Sequence[str]) -> Callable[[], None]:  # noqa: ARG002
        if packets is not None:
            os.close(packets)
        return lambda: None

    async def apply(self, tables: Tables) -> None:
        await self._services.apply(tables)

    async def lost(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        self._services.close()


def _ignore(_message: wire.Message, fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
