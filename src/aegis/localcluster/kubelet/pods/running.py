"""One run of a container: its output, its probes, its hooks, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pty
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.logs import LogFile
from aegis.localcluster.kubelet.pods.host import Host
from aegis.localcluster.kubelet.pods.prober import ask
from aegis.localcluster.kubelet.pods.probes import Action, Answer, Probe, Tally, Unsupported, action_of, probes_of
from aegis.localcluster.kubelet.pods.sessions import Attached, Input, Started
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Exit, Sandbox
from aegis.localcluster.kubelet.sandbox.launch import Launch

_OUTPUT_MAX = 10 * 1024
_TIMEOUT_FLOOR = 1.0
_OVERSLEPT, _OVERSLEPT_MAX = 0.05, 10
"""Seconds by which a late look at the clock shows that the node had no time, and how often that is an excuse."""
_HOOK_SECONDS = 60.0
_DRAIN_SECONDS = 0.5

_numbers = itertools.count(1)


class Run:
    """A container that runs, from its start to its end.

    Attributes:
        end: how it ends.
        log: where its output goes.
        image: the reference that it was started from.
        startup_passed: whether the startup probe succeeded, or there is none.
        ready: whether the readiness probe succeeds, or there is none.
        condemned: why it has to be restarted, and with what grace, once a probe said so.
    """

    def __init__(
        self,
        *,
        host: Host,
        sandbox: Sandbox,
        pod: Object,
        container: Mapping[str, Any],
        launch: Launch,
        changed: Callable[[], None],
    ) -> None:
        self._host, self._sandbox, self._pod, self._container = host, sandbox, pod, container
        self._launch, self._changed = launch, changed
        self._probes = probes_of(container, (pod.get("status") or {}).get("podIP", ""))
        kinds = {probe.kind for probe in self._probes}
        self._started_up = asyncio.Event()
        if "startup" not in kinds:
            self._started_up.set()
        self._readiness = "readiness" not in kinds
        self.image: str = container["image"]
        self.condemned: tuple[str, float | None] | None = None
        self.end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.log: LogFile | None = None
        self._input: int | None = None

    @property
    def startup_passed(self) -> bool:
        return self._started_up.is_set()

    @property
    def ready(self) -> bool:
        return self._readiness and self.startup_passed

    async def start(self, log: LogFile) -> None:
        """Start the program.

        Raises:
            SandboxError: it does not run; the message is a container runtime's.
        """
        self.log = log
        stdio = self._terminal(log) if self._launch.tty else self._pipes(log)
        try:
            self.end = await self._sandbox.start(self._launch, stdio)
        except SandboxError:
            self._let_go()
            raise
        finally:
            for fd in set(stdio):
                os.close(fd)
        self.end.add_done_callback(self._ended)

    async def post_start(self) -> str | None:
        """Run the hook; what went wrong, or None."""
        hook = (self._container.get("lifecycle") or {}).get("postStart")
        return await self._hook(hook, _HOOK_SECONDS) if hook else None

    async def probe(self) -> None:
        """Ask all probes until cancelled or the container is condemned."""
        async with asyncio.TaskGroup() as tasks:
            for probe in self._probes:
                tasks.create_task(self._ask_on(probe), name=f"{probe.kind} probe of {self._launch.key}")

    async def stop(self, grace: float) -> None:
        """End it: the hook, SIGTERM, and after so many nominal seconds SIGKILL."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._host.pace.real(grace)
        hook = (self._container.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0:
            fault = await self._hook(hook, grace)
            if fault:
                self._event("Warning", "FailedPreStopHook", fault)
        try:
            await self._sandbox.signal(self._launch.key, signal.SIGTERM)
            try:
                async with asyncio.timeout(max(0.0, deadline - loop.time())):
                    await asyncio.shield(self.end)
            except TimeoutError:
                await self._sandbox.signal(self._launch.key, signal.SIGKILL)
        except SandboxError:
            return
        await asyncio.shield(self.end)

    async def drained(self) -> None:
        """Return when its output is complete, or soon."""
        if self.log is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self.log.written.wait()

    async def execute(self, argv: tuple[str, ...], timeout: float) -> tuple[int, str]:  # noqa: ASYNC109
        """Run a program in the container: its exit code and the beginning of its output.

        Raises:
            TimeoutError: it took longer than so many wall-clock seconds, and was killed.
        """
        joined = self._joining(argv)
        output = _Output()
        nothing, write_end = os.open(os.devnull, os.O_RDONLY), output.open()
        try:
            end = await self._sandbox.start(joined, [nothing, write_end, write_end])
        except SandboxError as error:
            output.close()
            return 126, f"OCI runtime exec failed: exec failed: unable to start container process: {error}"
        finally:
            os.close(nothing)
            os.close(write_end)
        try:
            async with asyncio.timeout(timeout):
                code = (await asyncio.shield(end)).code
                await output.finished.wait()
        except TimeoutError:
            await self._sandbox.signal(joined.key, signal.SIGKILL)
            raise
        finally:
            output.close()
        return code, output.text

    async def session(self, argv: tuple[str, ...], *, stdin: bool, tty: bool) -> Started:
        """Start a program in the container for somebody who is attached to it.

        Raises:
            SandboxError: it does not run; the message is a container runtime's.
        """
        env = {**self._launch.env, "TERM": "xterm"} if tty else self._launch.env
        launch = replace(self._joining(argv), env=env, tty=tty)
        return await Started.start(self._sandbox, launch, stdin=stdin)

    async def attached(self, *, stdin: bool) -> Attached:
        """Take hold of the container's own program.

        Raises:
            SandboxError: it was not started.
        """
        if self.log is None:
            raise SandboxError("the container was not started")
        into = os.dup(self._input) if stdin and self._input is not None else None
        terminal = self._input if self._launch.tty else None
        return Attached(self.log, await Input.of(into), terminal, self.end)

    def _joining(self, argv: tuple[str, ...]) -> Launch:
        key = f"{self._launch.key}.exec{next(_numbers)}"
        inside = self._launch.key
        return replace(self._launch, key=key, argv=argv, root=None, inside=inside, memory_limit=None, tty=False)

    def _ended(self, _end: object) -> None:
        self._let_go()
        self._changed()

    def _let_go(self) -> None:
        if self._input is not None:
            os.close(self._input)
            self._input = None

    def _pipes(self, log: LogFile) -> list[int]:
        """What the container reads: nothing, or (`stdin: true`) a pipe that stays open and silent while it runs."""
        if self._container.get("stdin"):
            stdin, self._input = os.pipe2(os.O_CLOEXEC)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY)
        return [stdin, log.capture("stdout"), log.capture("stderr")]

    def _terminal(self, log: LogFile) -> list[int]:
        master, slave = pty.openpty()
        if self._container.get("stdin"):
            self._input = os.dup(master)
        log.record(master, "stdout")
        return [slave] * 3

    async def _ask_on(self, probe: Probe) -> None:
        pace = self._host.pace
        begun = self._host.clock()
        if probe.kind != "startup":
            await self._started_up.wait()
        await asyncio.sleep(max(0.0, begun + pace.real(probe.initial_delay) - self._host.clock()))
        if isinstance(probe.action, Unsupported):
            self._event("Warning", "Unhealthy", f"{probe.kind.capitalize()} probe errored: {probe.action.what}")
        tally, silent_until = Tally(), begun + probe.patience(pace.scale)
        while self.condemned is None and not (probe.kind == "startup" and tally.verdict):
            answer = await self._heard(probe)
            if self.end.done():
                return
            if answer.ok or answer.answered:
                silent_until = 0.0
            starting = self._host.clock() < silent_until
            if not answer.ok and not (starting and probe.kind == "liveness"):
                self._event("Warning", "Unhealthy", f"{probe.kind.capitalize()} probe failed: {answer.message}")
            before = tally
            if not starting:
                tally = tally.with_answer(probe, ok=answer.ok)
            if tally.verdict != before.verdict:
                self._conclude(probe, verdict=bool(tally.verdict))
            await asyncio.sleep(pace.real(probe.period))

    async def _heard(self, probe: Probe) -> Answer:
        """The answer to a probe, asked anew where the node itself overslept the time-out: that says nothing of the program."""
        loop, excuses = asyncio.get_running_loop(), _OVERSLEPT_MAX
        while True:
            begun = loop.time()
            answer = await self._ask(probe.action, probe.timeout)
            overslept = loop.time() - begun > self._patience(probe.timeout) + _OVERSLEPT
            if answer.ok or answer.answered or not overslept or not excuses or self.end.done():
                return answer
            excuses -= 1

    def _patience(self, timeout: float) -> float:
        """Wall-clock seconds. Programs take the time they take: a time scale must not make a healthy one look slow."""
        return max(self._host.pace.real(timeout), min(timeout, _TIMEOUT_FLOOR))

    async def _ask(self, action: Action, timeout: float) -> Answer:  # noqa: ASYNC109
        return await ask(action, self._patience(timeout), self._host.dial, self.execute, nominal=timeout)

    def _conclude(self, probe: Probe, *, verdict: bool) -> None:
        if probe.kind == "readiness":
            self._readiness = verdict
        elif not verdict:
            name = self._container["name"]
            self.condemned = (f"Container {name} failed {probe.kind} probe, will be restarted", probe.grace)
        elif probe.kind == "startup":
            self._started_up.set()
        self._changed()

    async def _hook(self, hook: Mapping[str, Any], seconds: float) -> str | None:
        if "sleep" in hook:
            await asyncio.sleep(self._host.pace.real(min(hook["sleep"].get("seconds", 0), seconds)))
            return None
        action = action_of(hook, self._container, (self._pod.get("status") or {}).get("podIP", ""))
        answer = await self._ask(action, seconds)
        return None if answer.ok else f"{answer.message}"

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._host.events.pod(self._pod, kind, reason, message, container=self._container["name"])


class _Output:
    """The bounded output of a program, read as it comes."""

    def __init__(self) -> None:
        self._fd, self._data = -1, bytearray()
        self._loop = asyncio.get_running_loop()
        self.finished = asyncio.Event()

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "replace")

    def open(self) -> int:
        self._fd, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._read)
        return write_end

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self.finished.set()

    def _read(self) -> None:
        data = os.read(self._fd, 65536)
        if data:
            self._data += data[: max(0, _OUTPUT_MAX - len(self._data))]
        else:
            self.close()
