"""A local cluster, a proxy that sees every write from outside, and remediations that die in front of it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from recording_proxy import Recording, Request, recording_proxy

from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions

DRIVER = Path(__file__).with_name("dying_aegis.py")
SECONDS = 120.0
_KEPT = re.compile(
    r"incidents\.sqlite(-wal|-shm)?|audit/audit\.(jsonl|lock|torn-\d+)|anchor/audit-head\.json|locks/[0-9a-f]+\.lock"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command line ended: its exit status (or minus the signal), what it printed, where it passed, its memory.

    Attributes:
        peak: the most bytes that it held at a time; a process begins with the 80 MB of the one that forked it.
    """

    status: int
    out: str
    err: str
    places: tuple[str, ...]
    pid: int
    peak: int = 0

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out) if self.out.strip() else {}
        return found


class Actors:
    """The process that forks one for each command line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pids: dict[int, asyncio.Future[int]] = {}
        self._number = 0

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Actors]:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(DRIVER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdin is not None
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            try:
                yield self
            finally:
                self._process.stdin.close()
                await self._process.wait()
                listening.cancel()

    async def start(
        self,
        arguments: list[str],
        state: Path,
        *,
        die_at: str = "",
        number: int = signal.SIGKILL,
        environment: dict[str, str] | None = None,
        largest_file: int = 0,
    ) -> Act:
        """Begin a command line, which sends itself a signal at a place, and whose disk is full beyond a file's size."""
        self._number += 1
        mine = self._number
        loop = asyncio.get_running_loop()
        self._waiting[mine], self._pids[mine] = loop.create_future(), loop.create_future()
        files = {name: str(self._folder / f"{mine}.{name}") for name in ("stdout", "stderr", "passed")}
        order = {
            "number": mine,
            "arguments": arguments,
            "environment": {"XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state), "NO_COLOR": "1"}
            | (environment or {}),
            "die_at": die_at,
            "signal": number,
            "largest_file": largest_file,
            **files,
        }
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        stops_at = die_at if number == signal.SIGSTOP else ""
        return Act(pid=await self._pids[mine], over=self._waiting[mine], files=files, stops_at=stops_at)

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "started" in said:
                self._pids[said["number"]].set_result(said["started"])
            elif "status" in said:
                self._waiting[said["number"]].set_result(said)
        unanswered: list[asyncio.Future[Any]] = [*self._pids.values(), *self._waiting.values()]
        for awaited in unanswered:
            if not awaited.done():
                awaited.set_exception(AssertionError("the process that forks the command lines has ended"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A command line that runs."""

    pid: int
    over: asyncio.Future[dict[str, Any]]
    files: dict[str, str]
    stops_at: str = ""

    def places(self) -> tuple[str, ...]:
        """Where it passed so far."""
        path = Path(self.files["passed"])
        return tuple(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()

    async def reaches(self, place: str, seconds: float = SECONDS) -> None:
        """Wait until it passes a place, and has stopped where it stops there: SIGCONT would come too early before."""
        await until(lambda: place in self.places() or self.over.done(), seconds)
        assert place in self.places(), (place, Path(self.files["stderr"]).read_text(encoding="utf-8"))
        if place == self.stops_at:
            await until(self._is_stopped, seconds)

    def _is_stopped(self) -> bool:
        """Whether the kernel says so (proc(5): the state follows the name, which is in parentheses)."""
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"

    async def ended(self, seconds: float = SECONDS) -> Ended:
        async with asyncio.timeout(seconds):
            said = await asyncio.shield(self.over)
        read = {
            name: Path(path).read_text(encoding="utf-8") for name, path in self.files.items() if Path(path).exists()
        }
        return Ended(
            status=said["status"],
            out=read.get("stdout", ""),
            err=read.get("stderr", ""),
            places=self.places(),
            pid=said["pid"],
            peak=said["peak"],
        )


def deployment(
    namespace: str, image: str, *, name: str = "web", replicas: int = 1, unavailable: int = 0
) -> dict[str, Any]:
    """A workload of sleeping pods; with another image it is broken."""
    container = {
        "name": "web",
        "image": image,
        "command": ["sleep", "1000000"],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }


GOOD, BROKEN = "busybox:1.36", "busybox:1.36-brokn"

WORSE = """
- target: {apiVersion: apps/v1, kind: Deployment, name: web}
  type: apply
  patch:
    spec:
      strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 2}}
      template:
        spec:
          containers:
            - name: web
              image: busybox:1.36
              readinessProbe:
                exec: {command: [sh, -c, 'case $WHERE in aegis-shadow-*) true;; *) false;; esac']}
                periodSeconds: 60
              env:
                - {name: WHERE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
"""
"""Good wherever it is tried; in production strictly worse than what was there: no pod is ready."""


@dataclass(slots=True, kw_only=True)
class World:
    """One namespace of production with a broken workload, and a state folder of its own."""

    theatre: Theatre
    namespace: str
    folder: Path
    broken: dict[str, Any] = field(default_factory=dict)
    changes: Path | None = None
    name: str = "web"
    kubeconfig: Path | None = None

    @property
    def at(self) -> list[str]:
        """The options that lead to the cluster, through the proxy."""
        return ["--kubeconfig", str(self.kubeconfig or self.theatre.recording.kubeconfig)]

    @property
    def state(self) -> Path:
        return self.folder / "aegis"

    def fix(self, *more: str) -> list[str]:
        given = ["--changes", str(self.changes)] if self.changes else []
        at = ["-n", self.namespace, "-o", "json", *self.at]
        return ["fix", f"deploy/{self.name}", *at, *given, *(more or ("--yes",))]

    async def run(
        self, *arguments: str, die_at: str = "", number: int = signal.SIGKILL, largest_file: int = 0
    ) -> Ended:
        started = await self.start(*arguments, die_at=die_at, number=number, largest_file=largest_file)
        return await started.ended()

    async def start(
        self, *arguments: str, die_at: str = "", number: int = signal.SIGKILL, largest_file: int = 0
    ) -> Act:
        return await self.theatre.actors.start(
            list(arguments),
            self.folder,
            die_at=die_at,
            number=number,
            environment={"AEGIS_SHADOW__MAX_CONCURRENT": "40", "AEGIS_SAFETY__WRITES_PER_HOUR": "100"},
            largest_file=largest_file,
        )

    def live(self) -> dict[str, Any]:
        found = self.theatre.cluster.api.get("deployments.apps", self.namespace, self.name)
        assert found is not None
        return found

    def writes(self) -> list[Request]:
        """What AEGIS wrote to production, as the proxy saw it."""
        path = f"/namespaces/{self.namespace}/deployments/{self.name}"
        return [one for one in self.theatre.recording.writes() if one.path.endswith(path)]

    def records(self) -> list[dict[str, Any]]:
        path = self.state / "audit" / "audit.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        return [json.loads(line) for line in lines[:-1]]

    async def incidents(self) -> list[dict[str, Any]]:
        ended = await self.run("incident", "list", "-o", "json", *self.at)
        assert ended.status == 0, ended.err
        items: list[dict[str, Any]] = ended.report["items"]
        return items

    def shadows(self) -> list[str]:
        """Namespaces of shadows that any incident of this state folder made."""
        mine = {record["incident"] for record in self.records()} - {""}
        return [
            obj["metadata"]["name"]
            for obj in self.theatre.cluster.api.list("namespaces")
            if (obj["metadata"].get("labels") or {}).get("aegis.io/incident") in mine
        ]

    def unannounced(self) -> list[str]:
        """Writes to production without an `intended` record before them."""
        intended = [
            datetime.fromisoformat(record["at"])
            for record in self.records()
            if record["outcome"] == "intended"
            and record["detail"]["purpose"] in {"production", "undo"}
            and not record["detail"]["dryRun"]
        ]
        return [
            f"{request.method} {request.path}"
            for count, request in enumerate(self.writes(), start=1)
            if sum(at <= request.at for at in intended) < count
        ]

    def strays(self) -> list[str]:
        """Files in the state folder that nothing will use any more."""
        files = (path.relative_to(self.state).as_posix() for path in self.state.rglob("*") if path.is_file())
        return [name for name in files if not _KEPT.fullmatch(name)]

    async def leave(self) -> None:
        self.theatre.cluster.api.delete("namespaces", None, self.namespace)


@dataclass(slots=True, kw_only=True)
class Theatre:
    """What all the deaths of a test share."""

    cluster: LocalCluster
    recording: Recording
    actors: Actors
    folder: Path
    made: int = 0

    async def world(self, *, worse: bool = False) -> World:
        """A new namespace in which a workload was well and is broken now."""
        self.made += 1
        namespace = f"shop-{self.made}"
        world = World(theatre=self, namespace=namespace, folder=self.folder / namespace)
        world.folder.mkdir()
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self.cluster.api.create("namespaces", body, manager="kubectl")
        await self._break(world, **({"replicas": 2, "unavailable": 1} if worse else {}))
        if worse:
            world.changes = world.folder / "changes.yaml"
            world.changes.write_text(WORSE, encoding="utf-8")
        return world

    async def beside(self, world: World, name: str) -> World:
        """Another workload of the same namespace, broken too; the same person's."""
        other = World(theatre=self, namespace=world.namespace, folder=world.folder, name=name)
        await self._break(other)
        return other

    async def _break(self, world: World, *, replicas: int = 1, unavailable: int = 0) -> None:
        def made(image: str) -> dict[str, Any]:
            return deployment(world.namespace, image, name=world.name, replicas=replicas, unavailable=unavailable)

        def available() -> int:
            return int((world.live().get("status") or {}).get("availableReplicas") or 0)

        api = self.cluster.api
        api.create("deployments.apps", made(GOOD), manager="kubectl")
        await until(lambda: available() == replicas)
        api.update("deployments.apps", made(BROKEN), manager="kubectl")
        await until(
            lambda: any(
                _pull_fails(pod)
                for pod in api.list("pods", world.namespace)
                if pod["metadata"]["labels"]["app"] == world.name
            )
        )
        await until(lambda: available() == replicas - unavailable)
        world.broken = world.live()


class Gate:
    """A wire to a server that can be cut and mended: nobody is reached meanwhile."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self._behind)
            self._writers.add(outer)
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, outer))
                group.create_task(_copy(inner, writer))
            outer.close()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def gated(world: World) -> AsyncIterator[Gate]:
    """Lead a world's commands through a gate."""
    config = yaml.safe_load(world.theatre.recording.kubeconfig.read_text(encoding="utf-8"))
    cluster = config["clusters"][0]["cluster"]
    gate = Gate(int(cluster["server"].rpartition(":")[2]))
    await gate.mend()
    cluster["server"] = f"https://127.0.0.1:{gate.port}"
    world.kubeconfig = world.folder / "kubeconfig"
    world.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    world.kubeconfig.chmod(0o600)
    try:
        yield gate
    finally:
        await gate.cut()


@asynccontextmanager
async def theatre(folder: Path, *, scale: float = 40.0) -> AsyncIterator[Theatre]:
    """A cluster with room for many trials at once."""
    options = ClusterOptions(state=folder / "cluster", time_scale=scale, cpu="512", memory="512Gi", pods=2000)
    acts = folder / "acts"
    acts.mkdir()
    async with (
        LocalCluster(options) as cluster,
        recording_proxy(cluster.kubeconfig) as recording,
        Actors(acts).ready() as actors,
    ):
        yield Theatre(cluster=cluster, recording=recording, actors=actors, folder=folder)


def in_session(leader: int) -> Iterator[int]:
    """The processes that belong to a child's session."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == leader and words[0] != "Z":
            yield int(path.name)


def _pull_fails(pod: dict[str, Any]) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    reasons = {((status.get("state") or {}).get("waiting") or {}).get("reason") for status in statuses}
    return bool(reasons & {"ErrImagePull", "ImagePullBackOff"})


async def until(holds: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.05)
