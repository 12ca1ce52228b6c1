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
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aegis.errors import Unavailable, UsageError
from aegis.localcluster.api import ClusterApi, Pace
from aegis.localcluster.apiserver.admission.services import API_SERVER
from aegis.localcluster.apiserver.http.pages import version_info
from aegis.localcluster.apiserver.kubeconfig import kubeconfig, write_kubeconfig
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.controllers.manager import Facts, run_controllers
from aegis.localcluster.controllers.ownservice import Door
from aegis.localcluster.describing import describe
from aegis.localcluster.falco import deploy_falco
from aegis.localcluster.kubelet.addresses import node_address
from aegis.localcluster.kubelet.gateway import API_PORT
from aegis.localcluster.kubelet.images.reference import InvalidReferenceError
from aegis.localcluster.kubelet.images.registry import Registry, RegistryError
from aegis.localcluster.kubelet.kubelet import Kubelet
from aegis.localcluster.kubelet.node import NodeSpec
from aegis.localcluster.kubelet.runtime import Capabilities
from aegis.localcluster.metering import Meter
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
        self._meter = Meter(self._server.api, Pace(scale=options.time_scale))
        self._server.metrics = self._meter
        self._stack = AsyncExitStack()
        self.api: ClusterApi = self._server.api

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._folder.kubeconfig

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as unless_started:
            unless_started.push_async_callback(self._close)
            await self._start()
            unless_started.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        """End every part.

        Raises:
            Unavailable: one of them had failed, which had cancelled the context.
        """
        try:
            await self._stack.aclose()
        except ExceptionGroup as group:
            first: Exception = group
            while isinstance(first, ExceptionGroup):
                first = first.exceptions[0]
            raise Unavailable(f"a part of the local cluster failed: {str(first) or type(first).__name__}") from group

    async def _start(self) -> None:
        registry = _registry(self.options.images)
        self._folder.prepare()
        self._folder.clear()  # of what a killed one left behind
        self._stack.callback(self._folder.clear)
        self._progress("starting the API server")
        url = await self._listen()
        tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._progress("starting the controllers and the scheduler")
        pace, authority = Pace(scale=self.options.time_scale), self._server.authority.certificate
        door = Door(service_ip=API_SERVER, address=node_address(0), port=API_PORT)
        facts = Facts(pace=pace, ca_pem=authority.decode(), door=door, metrics=self._meter)
        self._run(tasks, run_controllers(self.api, facts), "controllers")
        self._progress("starting the kubelet")
        capabilities = await self._start_kubelet(tasks, registry, pace, url)
        write_kubeconfig(self.kubeconfig, kubeconfig(url, authority, self._server.admin_certificate()))
        self.info = self._described(url, capabilities)
        describe(self.api, self.info)
        if capabilities.watched:
            deploy_falco(self.api)

    async def _listen(self) -> str:
        try:
            url = await self._server.start(port=self.options.port)
        except OSError as error:
            why = f"the API server cannot listen on port {self.options.port}: {error.strerror}"
            raise Unavailable(why, hint="choose another port") from error
        self._stack.push_async_callback(self._server.stop)
        return url

    async def _start_kubelet(self, tasks: asyncio.TaskGroup, registry: Registry, pace: Pace, url: str) -> Capabilities:
        kubelet = Kubelet(
            api=self.api,
            nodes=[
                NodeSpec(name=name, cpu=self.options.cpu, memory=self.options.memory, pods=self.options.pods)
                for name in node_names(self.options.nodes)
            ],
            registry=registry,
            pace=pace,
            state=self._folder.pods,
            mode=self.options.isolation or "auto",
            api_server=("127.0.0.1", urlsplit(url).port or 0),
            token=self._server.pod_token,
            watch=self.options.falco,
        )
        self._server.log_source = self._server.pod_streams = kubelet
        self._meter.source = kubelet
        self._run(tasks, kubelet.run(), "kubelet")
        self._run(tasks, self._meter.run(), "meter")
        await kubelet.started.wait()
        if kubelet.capabilities is None:
            raise AssertionError("a kubelet that started knows its capabilities")
        return kubelet.capabilities

    def _run(self, tasks: asyncio.TaskGroup, part: Coroutine[None, None, None], name: str) -> None:
        """Run a part until the context closes; if it fails, the context is cancelled."""
        self._stack.callback(tasks.create_task(part, name=name).cancel)

    def _described(self, url: str, capabilities: Capabilities) -> ClusterInfo:
        return ClusterInfo(
            pid=os.getpid(),
            url=url,
            kubeconfig=self.kubeconfig,
            version=version_info()["gitVersion"],
            nodes=self.options.nodes,
            time_scale=self.options.time_scale,
            isolation=capabilities.mode,
            not_enforced=capabilities.not_enforced,
            started_at=datetime.now(UTC),
            falco=capabilities.watched,
        )


def node_names(count: int) -> list[str]:
    """The names of the nodes, in order."""
    return [f"aegis-local-{number}" for number in range(1, count + 1)]


def _registry(folders: Sequence[Path]) -> Registry:
    registry = Registry.standard()
    for folder in folders:
        try:
            registry.add_folder(folder)
        except (RegistryError, InvalidReferenceError, OSError) as error:
            raise UsageError(f"the images of {folder} cannot be read: {error}") from error
    return registry
