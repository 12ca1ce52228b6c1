"""Getting a container's image: there, pulled, or refused in containerd's words, with back-off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.images.reference import InvalidReferenceError, normalise
from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.backoff import Backoff
from aegis.localcluster.kubelet.pods.host import Host
from aegis.localcluster.kubelet.pods.state import Waiting

_SHOWN_SECONDS = 3.0
_INVALID_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """No image: what the container waits for, and after how many wall-clock seconds to look again."""

    waiting: Waiting
    again: float


@dataclass(slots=True, kw_only=True)
class _Failure:
    backoff: Backoff
    at: float
    message: str


class Puller:
    """The images of one pod."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._failures: dict[str, _Failure] = {}

    def get(self, pod: Object, container: Mapping[str, Any]) -> Entry | Missing:
        """The image of a container, or why there is none now."""
        image, name = container["image"], container["name"]
        events = self._host.events
        try:
            full = normalise(image)
        except InvalidReferenceError:
            words = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format'
            events.pod(pod, "Warning", "InspectFailed", words, container=name)
            events.pod(pod, "Warning", "Failed", "Error: InvalidImageName", container=name)
            return Missing(
                waiting=Waiting(reason="InvalidImageName", message=words),
                again=self._host.pace.real(_INVALID_RETRY_SECONDS),
            )
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        entry = self._host.registry.find(image)
        present = entry is not None and full in self._host.node.pulled
        if policy == "Never" and not present:
            words = f'Container image "{image}" is not present with pull policy of Never'
            events.pod(pod, "Warning", "ErrImageNeverPull", words, container=name)
            events.pod(pod, "Warning", "Failed", "Error: ErrImageNeverPull", container=name)
            return Missing(
                waiting=Waiting(reason="ErrImageNeverPull", message=words),
                again=self._host.pace.real(_INVALID_RETRY_SECONDS),
            )
        if entry is not None and present and policy != "Always":
            words = f'Container image "{image}" already present on machine'
            events.pod(pod, "Normal", "Pulled", words, container=name)
            return entry
        return self._pull(pod, container, full, entry)

    def _pull(self, pod: Object, container: Mapping[str, Any], full: str, entry: Entry | None) -> Entry | Missing:
        image, name = container["image"], container["name"]
        events, pace, now = self._host.events, self._host.pace, self._host.clock()
        failure = self._failures.get(image)
        if failure is not None:
            left = failure.backoff.remaining(failure.at, now, pace)
            if left > 0:
                events.pod(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"', container=name)
                events.pod(pod, "Warning", "Failed", "Error: ImagePullBackOff", container=name)
                words = f'Back-off pulling image "{image}": ErrImagePull: {failure.message}'
                return Missing(waiting=Waiting(reason="ImagePullBackOff", message=words), again=left)
        events.pod(pod, "Normal", "Pulling", f'Pulling image "{image}"', container=name)
        if entry is not None:
            self._failures.pop(image, None)
            self._host.node.pulled.add(full)
            words = (
                f'Successfully pulled image "{image}" in 1ms (1ms including waiting). Image size: {entry.size} bytes.'
            )
            events.pod(pod, "Normal", "Pulled", words, container=name)
            return entry
        words = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": '
            f'failed to resolve reference "{full}": {full}: not found'
        )
        events.pod(pod, "Warning", "Failed", f'Failed to pull image "{image}": {words}', container=name)
        events.pod(pod, "Warning", "Failed", "Error: ErrImagePull", container=name)
        backoff = (failure.backoff if failure else Backoff()).raised(now, now, pace)
        self._failures[image] = _Failure(backoff=backoff, at=now, message=words)
        return Missing(waiting=Waiting(reason="ErrImagePull", message=words), again=pace.real(_SHOWN_SECONDS))
