"""Services without namespaces: listeners on loopback addresses that stand for cluster IPs.

10.96.1.2 is 127.96.1.2 here. There are no names, no policies and no other address than a Service's; a port that this
user may not listen on (below 1024) is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random

from aegis.localcluster.kubelet.network.tables import ServicePort, Tables

_log = logging.getLogger(__name__)
_PIECE = 65_536
_SERVICES, _LOOPBACK = "10.", "127."


def stand_in(address: str) -> str:
    """The loopback address that stands for a cluster IP."""
    return _LOOPBACK + address.removeprefix(_SERVICES) if address.startswith(_SERVICES) else address


class LoopbackServices:
    """The listeners of all Services."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._servers: dict[ServicePort, asyncio.Server] = {}

    async def apply(self, tables: Tables) -> None:
        """Listen where Services are now, and nowhere else."""
        self._tables = tables
        wanted = {port for port, ends in tables.services.items() if ends and self._stands(port)}
        for port in self._servers.keys() - wanted:
            self._servers.pop(port).close()
        for port in wanted - self._servers.keys():
            try:
                relay = functools.partial(self._relay, port)
                self._servers[port] = await asyncio.start_server(relay, stand_in(port.address), port.port)
            except OSError as error:
                _log.info("no listener for service %s:%d: %s", port.address, port.port, error)

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _stands(self, port: ServicePort) -> bool:
        return port.protocol == "TCP" and port.address.startswith(_SERVICES)

    async def _relay(self, port: ServicePort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        endpoints = self._tables.services.get(port, ())
        try:
            host, number = random.choice(endpoints)  # noqa: S311 - which endpoint serves is no secret
            far_reader, far_writer = await asyncio.open_connection(host, number)
        except (OSError, IndexError):
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(copy(reader, far_writer))
            tasks.create_task(copy(far_reader, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on everything until the end, then end the other side too."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    writer.close()
