"""The node's place in the pods' network: where probes start from, and where the API server is reached."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self

from aegis.localcluster.kubelet.network.loopback import copy
from aegis.localcluster.kubelet.sandbox.client import Sandbox

API_PORT = 6443


class Gateway:
    """Sockets of the node's own sandbox. An async context manager: within it the API server is reachable."""

    def __init__(
        self, sandbox: Sandbox, address: str, api_server: tuple[str, int] | None, *, relayed: bool = True
    ) -> None:
        """`relayed`: whether pods reach the API server through the node's address, not by its own."""
        self._sandbox, self._address, self._api_server = sandbox, address, api_server
        self._relayed = relayed
        self._server: asyncio.Server | None = None

    @property
    def api(self) -> tuple[str, int] | None:
        """Where pods reach the API server; None where they do not."""
        return (self._address, API_PORT) if self._api_server and self._relayed else self._api_server

    async def dial(self, host: str, port: int) -> socket.socket:
        """A connection from the node to an address of the pods' network.

        Raises:
            OSError: it did not come about.
            SandboxError: the node's sandbox is gone.
        """
        made = await self._sandbox.socket()
        try:
            await asyncio.get_running_loop().sock_connect(made, (host, port))
        except BaseException:
            made.close()
            raise
        return made

    async def __aenter__(self) -> Self:
        if self._api_server is not None and self._relayed:
            listener = await self._sandbox.socket((self._address, API_PORT))
            self._server = await asyncio.start_server(self._relay, sock=listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._api_server or ("", 0)
        try:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(copy(reader, there_writer))
            tasks.create_task(copy(there_reader, writer))
