"""Setting up a pod's volumes in its sandbox, and keeping those that show objects up to date."""

from __future__ import annotations

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.pods.environment import Lookup
from aegis.localcluster.kubelet.pods.host import Host
from aegis.localcluster.kubelet.pods.volumes import Content, Empty, Kept, VolumeError, content, names
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Sandbox

_TOKEN_SHARE = 0.8
_NAMED = {
    "configMapRef": "configmaps",
    "configMapKeyRef": "configmaps",
    "secretRef": "secrets",
    "secretKeyRef": "secrets",
}


class Mounter:
    """The volumes of one pod in one sandbox."""

    def __init__(self, host: Host, sandbox: Sandbox, lookup: Lookup) -> None:
        self._host, self._sandbox, self._lookup = host, sandbox, lookup
        self._done: dict[str, Content] = {}
        self._tokens: dict[tuple[str, int], tuple[str | None, float]] = {}

    async def set_up(self, pod: Object) -> list[str]:
        """Make what is not there yet and renew what changed; the faults that are left, in the kubelet's words."""
        faults = []
        for volume in pod["spec"].get("volumes") or ():
            try:
                await self._one(volume["name"], content(volume, pod, self._lookup, self._token), pod)
            except (VolumeError, SandboxError, OSError) as error:
                if volume["name"] not in self._done:
                    faults.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
        return faults

    def _token(self, pod: Object, audience: str, seconds: int) -> str | None:
        """The pod's token, made anew only when most of its time is over."""
        now, key = self._host.clock(), (audience, seconds)
        token, renewed_at = self._tokens.get(key, (None, 0.0))
        if now >= renewed_at:
            token = self._host.token(pod, audience, seconds)
            self._tokens[key] = (token, now + seconds * _TOKEN_SHARE)
        return token

    async def _one(self, name: str, wanted: Content, pod: Object) -> None:
        if self._done.get(name) == wanted:
            return
        gid = (pod["spec"].get("securityContext") or {}).get("fsGroup") if self._host.sandboxes.map_users else None
        if isinstance(wanted, Empty):
            await self._sandbox.make_volume(name, size=wanted.size, in_memory=wanted.in_memory, gid=gid)
        elif isinstance(wanted, Kept):
            await self._sandbox.keep_volume(name, self._host.volume(wanted.volume), gid=gid)
        else:
            files = {path: file.to_message() for path, file in wanted.items()}
            await self._sandbox.write_volume(name, files, gid=gid)
        self._done[name] = wanted


def named_objects(pod: Object) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a pod shows or reads, as resource and name."""
    found = set()
    for volume in pod["spec"].get("volumes") or ():
        found |= names(volume)
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        sources = [
            *(container.get("envFrom") or ()),
            *(one.get("valueFrom") or {} for one in container.get("env") or ()),
        ]
        found |= {
            (_NAMED[kind], str(reference["name"]))
            for source in sources
            for kind, reference in source.items()
            if kind in _NAMED and reference.get("name")
        }
    return found
