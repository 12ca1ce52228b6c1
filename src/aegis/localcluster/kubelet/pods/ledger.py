"""What is known of a pod's containers, and how it changes: every step a pure one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from aegis.localcluster.kubelet.pods.backoff import Backoff, go_duration
from aegis.localcluster.kubelet.pods.state import INITIALIZING, Container, Running, State, Terminated, Waiting
from aegis.localcluster.kubelet.sandbox.client import Exit

_START_FAULT = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
_START_CODE = 128


class Ledger:
    """The containers of one pod, by name."""

    def __init__(self, names: Iterable[str], first: State) -> None:
        self._known = {name: Container(state=first) for name in names}

    @property
    def containers(self) -> Mapping[str, Container]:
        """How they stand now."""
        return MappingProxyType(self._known)

    def shown(self, mains: Iterable[str], *, initialized: bool) -> dict[str, Container]:
        """How the API shows them: until the init containers are done, the others wait for them."""
        if initialized:
            return dict(self._known)
        held = {name for name in mains if self._known[name].ended is None and not self._known[name].container_id}
        return {
            name: replace(container, state=INITIALIZING) if name in held else container
            for name, container in self._known.items()
        }

    def next_run(self, name: str) -> int:
        """The number of a container's next run: how often it will have been restarted."""
        container = self._known[name]
        return container.restarts + (container.ended is not None)

    def waits(self, name: str, waiting: Waiting) -> bool:
        """A container has to wait; whether that is news."""
        container = self._known[name]
        self._known[name] = replace(
            container, state=waiting, ready=False, passed_startup=False, last=container.ended or container.last
        )
        return container.state != waiting

    def held_back(self, name: str, backoff: Backoff, pod: str) -> bool:
        """A container waits for its back-off; whether that is news. `pod` is its name in messages."""
        words = f"back-off {go_duration(backoff.delay)} restarting failed container={name} pod={pod}"
        return self.waits(name, Waiting(reason="CrashLoopBackOff", message=words))

    def created(self, name: str, *, container_id: str, image_id: str) -> None:
        """A container was made and is about to start."""
        container = self._known[name]
        self._known[name] = replace(
            container,
            last=container.ended,
            restarts=self.next_run(name),
            container_id=container_id,
            image_id=image_id,
        )

    def started(self, name: str, now: float) -> None:
        """A container runs."""
        self._known[name] = replace(self._known[name], state=Running(started_at=now))

    def not_started(self, name: str, fault: str, now: float) -> str:
        """A container did not start; the message, as containerd words it around the fault."""
        container, message = self._known[name], _START_FAULT + fault
        ended = Terminated(
            exit_code=_START_CODE,
            reason="StartError",
            message=message,
            started_at=0,
            finished_at=now,
            container_id=container.container_id,
        )
        waiting = Waiting(reason="RunContainerError", message=message)
        self._known[name] = replace(container, state=waiting, ended=ended, last=ended)
        return message

    def ended(self, name: str, how: Exit, message: str, now: float) -> None:
        """A container's run is over."""
        container = self._known[name]
        ended = Terminated(
            exit_code=how.code,
            reason="OOMKilled" if how.out_of_memory else "Error" if how.code else "Completed",
            message=message,
            started_at=container.state.started_at if isinstance(container.state, Running) else now,
            finished_at=now,
            container_id=container.container_id,
        )
        self._known[name] = replace(container, state=ended, ended=ended, ready=False, passed_startup=False)

    def probed(self, name: str, *, ready: bool, passed_startup: bool) -> None:
        """What the probes of a running container say."""
        self._known[name] = replace(self._known[name], ready=ready, passed_startup=passed_startup)
