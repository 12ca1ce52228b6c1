"""The worker of one pod: it brings what runs to what the pod says, and tells the API how it stands."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.backoff import Backoff
from aegis.localcluster.kubelet.pods.environment import ConfigError, service_environment
from aegis.localcluster.kubelet.pods.host import Host
from aegis.localcluster.kubelet.pods.launching import Surroundings, hostname, launch
from aegis.localcluster.kubelet.pods.ledger import Ledger
from aegis.localcluster.kubelet.pods.lifecycle import Plan, plan
from aegis.localcluster.kubelet.pods.mounting import Mounter
from aegis.localcluster.kubelet.pods.pulling import Missing, Puller
from aegis.localcluster.kubelet.pods.reporting import publish, remove
from aegis.localcluster.kubelet.pods.running import Run
from aegis.localcluster.kubelet.pods.security import pod_label
from aegis.localcluster.kubelet.pods.state import CREATING, INITIALIZING, Container, State, Waiting
from aegis.localcluster.kubelet.pods.status import OWN_CONDITIONS, PodFacts
from aegis.localcluster.kubelet.pods.watching import ContainerWatch, subject
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Exit, Sandbox
from aegis.localcluster.kubelet.sandbox.launch import Launch
from aegis.localcluster.kubelet.times import timestamp

_CONFIG_RETRY_SECONDS = 10.0
_FAILED_START_SECONDS = 1.0
_RESYNC_SECONDS = 60.0
_MOUNT_RETRY_SECONDS = (0.5, 120.0)
_FALLBACK_BYTES, _FALLBACK_LINES = 2048, 80


class PodWorker:
    """Runs one pod, from its binding to its deletion."""

    def __init__(self, host: Host, pod: Object) -> None:
        self._host, self.pod = host, pod
        self._ledger = Ledger([container["name"] for container in self._containers()], self._first_state(pod))
        self._backoffs: dict[str, Backoff] = {}
        self._runs: dict[str, Run] = {}
        self._probing: dict[str, asyncio.Task[None]] = {}
        self._puller = Puller(host)
        self._sandbox: Sandbox | None = None
        self._mounter: Mounter | None = None
        self._mount_retry = 0.0
        self._pod_ip = ""
        self._taken = ""
        self._plan = Plan()
        self._failure: tuple[str, str] | None = None
        self._started_at = host.clock()
        self._wake = asyncio.Event()
        self._removed = False

    # What the kubelet tells the worker.

    def update(self, pod: Object) -> None:
        """Take note of the pod as it is stored now."""
        old, self.pod = self.pod, pod
        if old["spec"] != pod["spec"] or _told(old) != _told(pod):
            self._wake.set()

    def refresh(self) -> None:
        """Take note that an object that the pod names has changed."""
        self._wake.set()

    def remove(self) -> None:
        """The pod is stored no more: end everything at once."""
        self._removed = True
        if self._sandbox is not None:
            self._sandbox.close()
        self._wake.set()

    def run_of(self, container: str) -> Run | None:
        """The present run of a container."""
        return self._runs.get(container)

    @property
    def sandbox(self) -> Sandbox | None:
        """The pod's sandbox, while it has one."""
        return self._sandbox

    @property
    def address(self) -> str:
        """The pod's address; empty while it has none."""
        return self._pod_ip if self._sandbox is not None else ""

    @property
    def known(self) -> Mapping[str, Container]:
        """Its containers as they stand."""
        return self._ledger.containers

    async def run(self) -> None:
        """Run the pod until it is deleted."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._live(tasks)
                for probing in self._probing.values():
                    probing.cancel()
        finally:
            self._leave_sandbox()

    async def _live(self, tasks: asyncio.TaskGroup) -> None:
        while not self._removed:
            self._wake.clear()
            if self.pod["metadata"].get("deletionTimestamp"):
                await self._terminate()
                return
            await self._wait_for_change(await self._sync(tasks))

    async def _wait_for_change(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _sync(self, tasks: asyncio.TaskGroup) -> float | None:
        """One look at everything; after how many wall-clock seconds to look again, if nothing happens before."""
        await self._note_runs()
        if self._failure is not None:
            return None
        if (late := self._deadline()) and late <= 0:
            await self._fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            return None
        self._plan = plan(self.pod, self.known)
        if self._plan.phase in {"Succeeded", "Failed"}:
            await self._stop_runs(self._plan.stop)
            await self._note_runs()
            self._leave_sandbox()
            self._publish()
            return None
        waits = [] if late is None else [late]
        if await self._ready_to_start(waits):
            await self._renew_volumes()
            for name in self._plan.start:
                waits += await self._start(name, tasks)
            follows = plan(self.pod, self.known)
            if set(follows.start) - set(self._plan.start):
                self._wake.set()
            self._plan = replace(follows, start=())
        self._publish()
        return min(waits, default=_RESYNC_SECONDS)

    async def _ready_to_start(self, waits: list[float]) -> bool:
        """Whether there is a sandbox with all its volumes, made now if need be."""
        there = self._sandbox is not None and not self._sandbox.closed and self._mounter is not None
        if there or not self._plan.start:
            return True
        try:
            if self._sandbox is None or self._sandbox.closed:
                self._leave_sandbox()
                self._pod_ip = self._taken = self._host.address()
                self._sandbox = await self._host.sandboxes.sandbox(hostname(self.pod), [self._pod_ip])
        except SandboxError as error:
            self._leave_sandbox()
            self._event("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            waits.append(self._host.pace.real(_CONFIG_RETRY_SECONDS))
            return False
        await self._host.connect()
        mounter = Mounter(self._host, self._sandbox, self._lookup)
        faults = await mounter.set_up(self._with_address())
        for fault in faults:
            self._event("Warning", "FailedMount", fault)
        if faults:
            least, most = _MOUNT_RETRY_SECONDS
            self._mount_retry = min(max(self._mount_retry * 2, least), most)
            waits.append(self._host.pace.real(self._mount_retry))
            return False
        self._mounter = mounter
        return True

    async def _renew_volumes(self) -> None:
        if self._mounter is not None:
            await self._mounter.set_up(self._with_address())

    # Starting.

    async def _start(self, name: str, tasks: asyncio.TaskGroup) -> list[float]:
        """Start one container, or note why not; the wall-clock seconds after which to look again."""
        spec, now = self._spec(name), self._host.clock()
        ended = self.known[name].ended
        backoff = self._backoffs.get(name, Backoff())
        if ended is not None:
            left = backoff.remaining(ended.finished_at, now, self._host.pace)
            if left > 0:
                self._hold_back(name, backoff)
                return [left]
        image = self._puller.get(self.pod, spec)
        if isinstance(image, Missing):
            self._ledger.waits(name, image.waiting)
            return [image.again]
        number = self._ledger.next_run(name)
        try:
            asked = launch(self._with_address(), spec, image, number, around=self._surroundings())
        except ConfigError as error:
            self._ledger.waits(name, Waiting(reason="CreateContainerConfigError", message=str(error)))
            self._event("Warning", "Failed", f"Error: {error}", name)
            return [self._host.pace.real(_CONFIG_RETRY_SECONDS)]
        if ended is not None:
            self._backoffs[name] = backoff.raised(ended.finished_at, now, self._host.pace)
        self._ledger.created(
            name,
            container_id=f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}",
            image_id=f"{spec['image']}@{image.digest}",
        )
        self._event("Normal", "Created", f"Created container: {name}", name)
        sandbox = self._present_sandbox()
        self._have_watched(sandbox, asked, spec, image)
        run = Run(
            host=self._host,
            sandbox=sandbox,
            pod=self._with_address(),
            container=spec,
            launch=asked,
            changed=self._wake.set,
        )
        return await self._begin(name, run, number, tasks)

    def _have_watched(self, sandbox: Sandbox, asked: Launch, spec: Mapping[str, Any], image: Entry) -> None:
        if self._host.watch is not None:
            container_id = self.known[spec["name"]].container_id
            single = not self._host.sandboxes.map_users
            about = subject(self.pod, spec, container_id, asked, single_user=single)
            sandbox.oversee(asked.key, ContainerWatch(self._host.watch, about, sensor=image.sensor))

    async def _begin(self, name: str, run: Run, number: int, tasks: asyncio.TaskGroup) -> list[float]:
        log = self._host.logs.open(self.pod["metadata"]["uid"], name, number)
        try:
            await run.start(log)
        except SandboxError as error:
            words = self._ledger.not_started(name, str(error), self._host.clock())
            self._event("Warning", "Failed", f"Error: {words}", name)
            return [self._host.pace.real(_FAILED_START_SECONDS)]
        self._runs[name] = run
        self._ledger.started(name, self._host.clock())
        self._event("Normal", "Started", f"Started container {name}", name)
        fault = await run.post_start()
        if fault:
            self._event("Warning", "FailedPostStartHook", f"PostStartHook failed: {fault}", name)
            run.condemned = (f"FailedPostStartHook: {fault}", None)
            self._wake.set()
        self._probing[name] = tasks.create_task(run.probe(), name=f"probes of {name}")
        self._note_readiness(name, run)
        return []

    def _hold_back(self, name: str, backoff: Backoff) -> None:
        label = pod_label(self.pod)
        if self._ledger.held_back(name, backoff, label):
            self._event("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {label}", name)

    # Watching what runs.

    async def _note_runs(self) -> None:
        """Take in what happened to the runs: ended, condemned, ready or not."""
        for name, run in list(self._runs.items()):
            if not run.end.done() and run.image != self._spec(name)["image"]:
                run.condemned = (f"Container {name} definition changed, will be restarted", None)
            if run.condemned is not None and not run.end.done():
                words, grace = run.condemned
                self._event("Normal", "Killing", words, name)
                await self._end(name, run, self._grace() if grace is None else grace)
            if run.end.done():
                await run.drained()
                self._note_end(name, run, run.end.result())
            else:
                self._note_readiness(name, run)

    def _note_end(self, name: str, run: Run, how: Exit) -> None:
        del self._runs[name]
        self._stop_probing(name)
        self._ledger.ended(name, how, how.message or self._last_words(name, how), self._host.clock())
        if run.condemned is not None:
            # A probe's kill is no crash: the restart does not wait for the pod's next look.
            self._wake.set()

    def _last_words(self, name: str, how: Exit) -> str:
        if how.code and self._spec(name).get("terminationMessagePolicy") == "FallbackToLogsOnError":
            return self._host.logs.tail(self.pod["metadata"]["uid"], name, _FALLBACK_BYTES, _FALLBACK_LINES)
        return ""

    def _note_readiness(self, name: str, run: Run) -> None:
        self._ledger.probed(name, ready=run.ready, passed_startup=run.startup_passed)

    # Ending.

    async def _terminate(self) -> None:
        """Graceful deletion: end the containers, say so, and let the pod go."""
        await self._note_runs_plainly()
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds")
        await self._stop_runs(tuple(self._runs), grace=float(self._grace() if grace is None else grace))
        self._leave_sandbox()
        if self._removed:
            return
        self._plan = plan(self.pod, self.known)
        self._publish()
        remove(self._host.api, self.pod)

    async def _note_runs_plainly(self) -> None:
        for name, run in list(self._runs.items()):
            if run.end.done():
                self._note_end(name, run, run.end.result())

    async def _stop_runs(self, names: tuple[str, ...], grace: float | None = None) -> None:
        async with asyncio.TaskGroup() as ending:
            for name in names:
                run = self._runs.get(name)
                if run is not None:
                    self._event("Normal", "Killing", f"Stopping container {name}", name)
                    ending.create_task(self._end(name, run, self._grace() if grace is None else grace))
        await self._note_runs_plainly()

    async def _end(self, name: str, run: Run, grace: float) -> None:
        self._stop_probing(name)
        await run.stop(grace)

    async def _fail(self, reason: str, message: str) -> None:
        self._event("Normal", reason, message)
        self._failure = (reason, message)
        await self._stop_runs(tuple(self._runs))
        self._leave_sandbox()
        self._publish()

    def _leave_sandbox(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
        if self._taken:  # given back once: from then on it may be another pod's
            self._host.release(self._taken)
        self._taken = ""
        self._sandbox = self._mounter = None

    def _stop_probing(self, name: str) -> None:
        probing = self._probing.pop(name, None)
        if probing is not None:
            probing.cancel()

    # Telling.

    def _publish(self) -> None:
        reason, message = self._failure or ("", "")
        facts = PodFacts(
            phase="Failed" if self._failure else self._plan.phase,
            initialized=self._plan.initialized,
            sandbox=self._sandbox is not None,
            host_ip=self._host.node.address,
            pod_ip=self._pod_ip,
            started_at=self._started_at,
            reason=reason,
            message=message,
        )
        mains = [container["name"] for container in self.pod["spec"]["containers"]]
        shown = self._ledger.shown(mains, initialized=self._plan.initialized)
        publish(self._host.api, self.pod, shown, facts, now=self._host.clock())

    def _event(self, kind: str, reason: str, message: str, container: str | None = None) -> None:
        self._host.events.pod(self.pod, kind, reason, message, container=container)

    # Reading the pod.

    @staticmethod
    def _first_state(pod: Object) -> State:
        return INITIALIZING if pod["spec"].get("initContainers") else CREATING

    def _containers(self) -> list[Mapping[str, Any]]:
        spec = self.pod["spec"]
        return [*(spec.get("initContainers") or ()), *spec["containers"]]

    def _spec(self, name: str) -> Mapping[str, Any]:
        return next(container for container in self._containers() if container["name"] == name)

    def _grace(self) -> float:
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def _deadline(self) -> float | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return None
        return self._started_at + self._host.pace.real(seconds) - self._host.clock()

    def _lookup(self, resource: str, name: str) -> Object | None:
        return self._host.api.get(resource, self.pod["metadata"]["namespace"], name)

    def _with_address(self) -> Object:
        status = {
            **(self.pod.get("status") or {}),
            "podIP": self._pod_ip,
            "hostIP": self._host.node.address,
            "startTime": timestamp(self._started_at),
        }
        return {**self.pod, "status": status}

    def _surroundings(self) -> Surroundings:
        links = self.pod["spec"].get("enableServiceLinks") is not False
        namespace = self.pod["metadata"]["namespace"]
        return Surroundings(
            services=service_environment(self._host.services(), namespace, links=links),
            prefix=self._host.prefix,
            lookup=self._lookup,
        )

    def _present_sandbox(self) -> Sandbox:
        if self._sandbox is None:
            raise SandboxError("the sandbox is gone")
        return self._sandbox


def _told(pod: Object) -> tuple[Any, ...]:
    metadata = pod["metadata"]
    return (
        metadata.get("deletionTimestamp"),
        metadata.get("deletionGracePeriodSeconds"),
        metadata.get("labels"),
        metadata.get("annotations"),
        [one for one in (pod.get("status") or {}).get("conditions") or () if one["type"] not in OWN_CONDITIONS],
    )
