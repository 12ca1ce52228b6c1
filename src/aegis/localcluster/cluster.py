"""The local cluster as one thing: API server, controllers, scheduler and kubelet in this process.

```
async with LocalCluster(ClusterOptions(state=folder)) as cluster:
    cluster.kubeconfig      # for kubectl and any other client
```
Its state lives in memory and ends with it. `aegis.localcluster.daemon` runs one in the background.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aegis.errors import Unavailable
from aegis.localcluster.api import ClusterApi, Pace
from aegis.localcluster.apiserver.http.pages import version_info
from aegis.localcluster.apiserver.kubeconfig import kubeconfig, write_kubeconfig
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.controllers.manager import run_controllers
from aegis.localcluster.describing import describe
from aegis.localcluster.nodes import create_nodes
from aegis.localcluster.options import ClusterInfo, ClusterOptions
from aegis.localcluster.statefolder import StateFolder

Progress = Callable[[str], None]


class LocalCluster:
    """A running cluster, while its context is open.

    Attributes:
        options: what was asked for.
        api: the in-process door to the API server.
        info: what the cluster says of itself; set once it runs.
    """

    info: ClusterInfo

    def __init__(self, options: ClusterOptions, *, progress: Progress = lambda _: None) -> None:
        self.options = options
        self._progress = progress
        self._folder = StateFolder(options.state)
        self._server = ApiServer()
        self._stack = AsyncExitStack()
        self.api: ClusterApi = self._server.api

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._folder.kubeconfig

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _start(self) -> None:
        self._folder.prepare()
        self._stack.callback(self._folder.clear)
        self._progress("starting the API server")
        version, pace = version_info()["gitVersion"], Pace(scale=self.options.time_scale)
        authority = self._server.authority.certificate
        try:
            url = await self._server.start(port=self.options.port)
        except OSError as error:
            why = f"the API server cannot listen on port {self.options.port}: {error.strerror}"
            raise Unavailable(why, hint="choose another port") from error
        self._stack.push_async_callback(self._server.stop)
        create_nodes(self.api, self.options, version)
        self._progress("starting the controllers and the scheduler")
        await self._run_controllers(pace, authority.decode())
        document = kubeconfig(url, authority, self._server.admin_certificate())
        write_kubeconfig(self.kubeconfig, document)
        self.info = ClusterInfo(
            pid=os.getpid(),
            url=url,
            kubeconfig=self.kubeconfig,
            version=version,
            nodes=self.options.nodes,
            time_scale=self.options.time_scale,
            isolation="namespaces",
            not_enforced=(),
            started_at=datetime.now(UTC),
        )
        describe(self.api, self.info)

    async def _run_controllers(self, pace: Pace, ca_pem: str) -> None:
        tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        running = tasks.create_task(run_controllers(self.api, pace, ca_pem), name="controllers")
        self._stack.callback(running.cancel)
