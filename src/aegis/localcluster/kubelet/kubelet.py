"""The kubelet of the local cluster: several nodes in one process, their pods as real processes.

It registers its nodes, gives every pod that is bound to one of them a worker, and keeps the pods' network in step with
Services and policies. Cancelling `run` (or killing the process) ends every pod's processes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from aegis.localcluster.api import ClusterApi, LogRequest, Object, Pace, Session, WatchEvent
from aegis.localcluster.apiserver.admission.services import API_SERVER
from aegis.localcluster.kubelet.addresses import AddressPool, node_address, pod_network
from aegis.localcluster.kubelet.events import Recorder
from aegis.localcluster.kubelet.gateway import API_PORT, Gateway
from aegis.localcluster.kubelet.images.registry import Registry, interpreter_prefix
from aegis.localcluster.kubelet.logs import LogStore, read
from aegis.localcluster.kubelet.network.directory import Objects, tables
from aegis.localcluster.kubelet.network.loopback import stand_in
from aegis.localcluster.kubelet.network.tables import Tables
from aegis.localcluster.kubelet.node import LEASES, RENEW_SECONDS, NodeSpec, lease_object, node_object
from aegis.localcluster.kubelet.pods.host import Host, Node
from aegis.localcluster.kubelet.pods.mounting import named_objects
from aegis.localcluster.kubelet.pods.running import Run
from aegis.localcluster.kubelet.pods.state import Waiting
from aegis.localcluster.kubelet.pods.volumes import TokenMaker
from aegis.localcluster.kubelet.pods.watching import Watch
from aegis.localcluster.kubelet.pods.worker import PodWorker
from aegis.localcluster.kubelet.runtime import Capabilities, Runtime, start_runtime, start_watch
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.status import ApiError

Mode = Literal["auto", "namespaces", "processes"]

_log = logging.getLogger(__name__)
_MANAGER = "kubelet"
_PODS, _SLICES, _POLICIES = "pods", "endpointslices.discovery.k8s.io", "networkpolicies.networking.k8s.io"
_NETWORK = (_PODS, "namespaces", "services", _SLICES, _POLICIES)
_SHOWN = ("configmaps", "secrets")
_VOLUMES = "persistentvolumes"
_HTTPS = 443
_SETTLE_SECONDS = 0.01
_RETRY_SECONDS = 5.0
_UNABLE = "unable to start container process"


class Kubelet:
    """Runs the pods of all nodes of a local cluster.

    Attributes:
        capabilities: how pods are kept apart, and what that does not enforce; set once `started` is.
        started: set when nodes are registered and pods can run.
    """

    def __init__(
        self,
        *,
        api: ClusterApi,
        nodes: Sequence[NodeSpec],
        registry: Registry,
        pace: Pace,
        state: Path,
        mode: Mode = "auto",
        api_server: tuple[str, int] | None = None,
        token: TokenMaker = lambda _pod, _audience, _seconds: None,
        watch: bool = False,
    ) -> None:
        """`api_server` is the loopback address that `kubernetes.default` leads to; `token` makes pods' tokens.

        `watch` is whether the runtime watch is wanted; the capabilities tell whether it came about.

        A node that the API has already keeps its address and its status; the others are registered by `run`.
        """
        self._api, self._specs, self._registry, self._pace = api, nodes, registry, pace
        self._state, self._mode, self._api_server, self._token = state, mode, api_server, token
        self._nodes = {
            spec.name: Node(name=spec.name, address=self._address(spec.name, number))
            for number, spec in enumerate(nodes)
        }
        self._pools: dict[str, AddressPool] = {}
        self._logs = LogStore(state / "logs")
        self._events = Recorder(api)
        self._workers: dict[str, PodWorker] = {}
        self._runtime: Runtime | None = None
        self._watch_wanted = watch
        self._sentry: Watch | None = None
        self._gateway: Gateway | None = None
        self._network_changed = asyncio.Event()
        self._tables: Tables | None = None
        self.capabilities: Capabilities | None = None
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            SandboxError: the forced mode is not possible here, or the zygote ended.
        """
        addresses = [node.address for node in self._nodes.values()]
        base = self._state / "pods"
        base.mkdir(parents=True, exist_ok=True)
        self._runtime, self.capabilities = await start_runtime(base, self._mode, addresses)
        if self._watch_wanted:
            self.capabilities = self.capabilities.with_watch(await self._start_watch(self._runtime))
        plain = self.capabilities.mode == "processes"
        self._pools = {
            spec.name: AddressPool(pod_network(number, plain=plain)) for number, spec in enumerate(self._specs)
        }
        gateway = Gateway(self._runtime.node, addresses[0], self._api_server, relayed=not plain)
        try:
            async with gateway as self._gateway:
                self._register()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._watch(tasks), name="kubelet watches")
                    tasks.create_task(self._keep_alive(), name="kubelet keeps its nodes alive")
                    tasks.create_task(self._keep_network(), name="kubelet keeps the network")
                    tasks.create_task(self._runtime.sandboxes.lost(), name="kubelet minds the zygote")
                    self.started.set()
        finally:
            if self._sentry is not None:
                self._sentry.close()
            await self._runtime.stop()

    async def _start_watch(self, runtime: Runtime) -> str | None:
        """Start the runtime watch; why there is none, if there is none."""
        try:
            self._sentry = await start_watch(runtime)
        except SandboxError as error:
            _log.warning("pods are not watched: %s", error)
            return str(error)
        node = next(iter(self._nodes.values()))
        await self._sentry.around([(API_SERVER, _HTTPS), (node.address, API_PORT)])
        return None

    # For the API server, port-forward, metrics.

    async def logs(self, pod: Object, container: str, request: LogRequest) -> AsyncIterator[bytes]:
        """Whole lines of a container's output; see `LogSource`.

        Raises:
            ApiError: there is no output to show, with the reason.
        """
        metadata = pod["metadata"]
        previous = request.previous and not self._waits_again(metadata["uid"], container)
        log = self._logs.find(metadata["uid"], container, previous=previous)
        if log is None:
            raise ApiError(400, "BadRequest", self._no_logs(pod, container, previous=previous))
        async for piece in read(log, request):
            yield piece

    async def execute(self, pod: Object, container: str, argv: Sequence[str], *, stdin: bool, tty: bool) -> Session:
        """Start a program in a container; see `PodStreams`.

        Raises:
            ApiError: the container does not run, or the program does not start.
        """
        try:
            return await self._run_of(pod, container).session(tuple(argv), stdin=stdin, tty=tty)
        except SandboxError as error:
            why = f"failed to exec in container: OCI runtime exec failed: exec failed: {_UNABLE}: {error}"
            raise ApiError(500, "InternalError", f"error executing command in container: {why}") from error

    async def attach(self, pod: Object, container: str, *, stdin: bool) -> Session:
        """Take hold of a container's own program; see `PodStreams`.

        Raises:
            ApiError: the container does not run.
        """
        try:
            return await self._run_of(pod, container).attached(stdin=stdin)
        except SandboxError as error:
            raise ApiError(500, "InternalError", f'container not found ("{container}")') from error

    def _run_of(self, pod: Object, container: str) -> Run:
        worker = self._workers.get(pod["metadata"]["uid"])
        run = worker.run_of(container) if worker else None
        if run is None:
            raise ApiError(500, "InternalError", f'container not found ("{container}")')
        return run

    async def dial(self, pod_uid: str, port: int) -> socket.socket:
        """A connection (a non-blocking socket) to a port inside a pod, as `kubectl port-forward` makes it.

        Raises:
            LookupError: the pod does not run.
            OSError: nothing listens there.
        """
        worker = self._workers.get(pod_uid)
        if worker is None or worker.sandbox is None:
            raise LookupError("the pod is not running")
        made = await worker.sandbox.socket()
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        except BaseException:
            made.close()
            raise
        return made

    async def usage(self, pod_uid: str) -> dict[str, dict[str, float]]:
        """What each running container of a pod uses: `memory` in bytes, `cpu` in seconds of processor time."""
        worker = self._workers.get(pod_uid)
        if worker is None or worker.sandbox is None:
            return {}
        try:
            used = await worker.sandbox.usage()
        except SandboxError:  # it ended just now
            return {}
        return {key.rpartition(".")[0]: amounts for key, amounts in used.items()}

    def _waits_again(self, pod_uid: str, container: str) -> bool:
        """Whether a container waits to be restarted: its newest run then counts as the previous one too."""
        worker = self._workers.get(pod_uid)
        known = worker.known.get(container) if worker else None
        return known is not None and isinstance(known.state, Waiting) and known.ended is not None

    def _no_logs(self, pod: Object, container: str, *, previous: bool) -> str:
        name = pod["metadata"]["name"]
        if previous:
            return f'previous terminated container "{container}" in pod "{name}" not found'
        worker = self._workers.get(pod["metadata"]["uid"])
        state = worker.known[container].state if worker and container in worker.known else None
        reason = state.reason if isinstance(state, Waiting) else "ContainerCreating"
        words = f'container "{container}" in pod "{name}" is waiting to start: '
        return words + (
            "trying and failing to pull image" if reason in {"ErrImagePull", "ImagePullBackOff"} else reason
        )

    # Nodes.

    def _register(self) -> None:
        now = time.time()
        for number, spec in enumerate(self._specs):
            if self._api.get("nodes", None, spec.name) is None:
                node = node_object(spec, self._nodes[spec.name].address, pod_network(number), now)
                self._api.create("nodes", node, manager=_MANAGER)
            self._renew(spec.name)

    def _address(self, name: str, number: int) -> str:
        known = self._api.get("nodes", None, name) or {}
        addresses = (known.get("status") or {}).get("addresses") or ()
        return next((one["address"] for one in addresses if one["type"] == "InternalIP"), node_address(number))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for name in self._nodes:
                with contextlib.suppress(ApiError):
                    self._renew(name)

    def _renew(self, name: str) -> None:
        lease = lease_object(name, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        if self._api.get("leases.coordination.k8s.io", LEASES, name) is None:
            self._api.create("leases.coordination.k8s.io", lease, manager=_MANAGER)
        else:
            self._api.update("leases.coordination.k8s.io", lease, manager=_MANAGER)

    # Pods.

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        async for event in self._api.watch(*_NETWORK, *_SHOWN, _VOLUMES):
            if event.resource in _NETWORK:
                self._network_changed.set()
            if event.resource == _VOLUMES and event.type == "DELETED":
                self._note_gone(event.object)
            if event.resource == _PODS:
                self._note_pod(event, tasks)
            elif event.resource in _SHOWN:
                self._note_shown(event)

    def _note_pod(self, event: WatchEvent, tasks: asyncio.TaskGroup) -> None:
        pod = event.object
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if event.type == "DELETED":
            if worker is not None:
                worker.remove()
            self._logs.forget(uid)
        elif worker is not None:
            worker.update(pod)
        elif pod["spec"].get("nodeName") in self._nodes:
            tasks.create_task(self._run_pod(pod), name=f"pod {pod['metadata']['name']}")

    def _note_shown(self, event: WatchEvent) -> None:
        metadata = event.object["metadata"]
        named = (event.resource, metadata["name"])
        for worker in self._workers.values():
            if worker.pod["metadata"]["namespace"] == metadata["namespace"] and named in named_objects(worker.pod):
                worker.refresh()

    def _note_gone(self, volume: Object) -> None:
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            shutil.rmtree(self._state / "volumes" / volume["metadata"]["name"], ignore_errors=True)

    async def _run_pod(self, pod: Object) -> None:
        """Run a pod to its end, and again from the start should its worker fail."""
        uid = pod["metadata"]["uid"]
        if uid in self._workers:
            return
        host = self._host(self._nodes[pod["spec"]["nodeName"]])
        try:
            while True:
                worker = self._workers[uid] = PodWorker(host, pod)
                try:
                    await worker.run()
                except Exception:  # noqa: BLE001 - the outermost door of a pod: one odd pod must not stop the others
                    _log.exception("pod %s/%s failed", pod["metadata"]["namespace"], pod["metadata"]["name"])
                    await asyncio.sleep(_RETRY_SECONDS)
                    pod = worker.pod
                else:
                    return
        finally:
            self._workers.pop(uid, None)
            self._logs.forget(uid)

    def _host(self, node: Node) -> Host:
        pool, runtime, gateway = self._pools[node.name], self._runtime, self._gateway
        if runtime is None or gateway is None:
            raise RuntimeError("the kubelet does not run")
        return Host(
            api=self._api,
            sandboxes=runtime.sandboxes,
            registry=self._registry,
            events=self._events,
            logs=self._logs,
            pace=self._pace,
            node=node,
            prefix=interpreter_prefix(),
            dial=gateway.dial,
            address=pool.take,
            release=pool.give_back,
            connect=self._send_tables,
            services=self._services,
            volume=self._volume,
            token=self._token,
            clock=time.time,
            watch=self._sentry,
        )

    def _volume(self, name: str) -> Path:
        folder = self._state / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)  # whichever user a container runs as
        return folder

    def _services(self) -> list[Object]:
        """Every Service, with the address that pods reach it by."""
        services = self._api.list("services")
        if self.capabilities is None or self.capabilities.mode == "namespaces":
            return list(services)
        return [
            {**service, "spec": {**service["spec"], "clusterIP": stand_in(service["spec"].get("clusterIP") or "")}}
            for service in services
        ]

    # The network.

    async def _keep_network(self) -> None:
        while True:
            await self._network_changed.wait()
            await asyncio.sleep(_SETTLE_SECONDS)
            self._network_changed.clear()
            await self._send_tables()

    async def _send_tables(self) -> None:
        made = tables(self._objects())
        if made != self._tables and self._runtime is not None:
            self._tables = made
            await self._runtime.sandboxes.tables(made)

    def _objects(self) -> Objects:
        return Objects(
            pods=[self._with_address(pod) for pod in self._api.list(_PODS)],
            namespaces=self._api.list("namespaces"),
            services=self._api.list("services"),
            slices=self._api.list(_SLICES),
            policies=self._api.list(_POLICIES),
            nodes=[node.address for node in self._nodes.values()],
            api=self._gateway.api if self._gateway else None,
        )

    def _with_address(self, pod: Object) -> Object:
        """A pod with the address that it has by now, which its stored status may not tell yet."""
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is None or not worker.address:
            return pod
        return {**pod, "status": {**(pod.get("status") or {}), "podIP": worker.address}}
