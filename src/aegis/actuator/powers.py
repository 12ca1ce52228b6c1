"""What a pod may do beyond an ordinary one: privileges, and what it takes of its node."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of
from aegis.model.refs import Json


def powers(obj: Json) -> frozenset[str]:
    """The powers that an object gives its pods, as `hostNetwork`, `containers[web]: privileged`; of a partial object too."""
    spec = pod_spec_of(obj)
    if spec is None:
        return frozenset()
    return frozenset((*_of_pod(spec), *(power for at in containers(spec) for power in _of_container(at))))


def _of_pod(spec: Json) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    if spec.get("hostUsers") is True:
        yield "hostUsers"
    for volume in spec.get("volumes") or ():
        if isinstance(volume, dict) and isinstance(volume.get("hostPath"), dict):
            yield f"hostPath {volume['hostPath'].get('path')}"


def _of_container(at: ContainerAt) -> Iterator[str]:
    context = at.spec.get("securityContext") or {}
    if context.get("privileged"):
        yield f"{at.path}: privileged"
    if context.get("allowPrivilegeEscalation"):
        yield f"{at.path}: allowPrivilegeEscalation"
    if context.get("procMount") not in {None, "", "Default"}:
        yield f"{at.path}: procMount {context['procMount']}"
    for capability in (context.get("capabilities") or {}).get("add") or ():
        yield f"{at.path}: capability {capability}"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{at.path}: hostProcess"
    for port in at.spec.get("ports") or ():
        if isinstance(port, dict) and port.get("hostPort"):
            yield f"{at.path}: hostPort {port['hostPort']}"
