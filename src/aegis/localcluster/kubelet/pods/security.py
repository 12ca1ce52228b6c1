"""As whom a container runs: its security context over its pod's, over its image's user. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.environment import ConfigError
from aegis.localcluster.kubelet.sandbox.launch import Identity
from aegis.localcluster.kubelet.sandbox.linux import CAPABILITIES

# What containerd leaves to user 0 by default.
DEFAULT_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip


def pod_label(pod: Object) -> str:
    """A pod as the kubelet names it in messages: `name_namespace(uid)`."""
    metadata = pod["metadata"]
    return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"


def identity(pod: Object, container: Mapping[str, Any], image: Entry) -> Identity:
    """Who runs a container.

    Raises:
        ConfigError: `runAsNonRoot` forbids it, or the image's user is not known; the message is the kubelet's.
    """
    of_pod, of_container = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    context = {**of_pod, **{name: value for name, value in of_container.items() if value is not None}}
    uid, gid = _user(image, context)
    if context.get("runAsNonRoot"):
        _check_not_root(context, image, uid, f'(pod: "{pod_label(pod)}", container: {container["name"]})')
    groups = {*(of_pod.get("supplementalGroups") or ()), *([of_pod["fsGroup"]] if "fsGroup" in of_pod else [])}
    return Identity(
        uid=uid,
        gid=gid,
        groups=tuple(sorted(groups)),
        capabilities=tuple(sorted(_capabilities(context))),
        no_new_privileges=context.get("allowPrivilegeEscalation") is False,
    )


def _user(image: Entry, context: Mapping[str, Any]) -> tuple[int, int]:
    name, _, group = image.user.partition(":")
    uid = context.get("runAsUser")
    if uid is None:
        uid = int(name) if name.isdigit() else _named(image, "/etc/passwd", name) if name else 0
    gid = context.get("runAsGroup")
    if gid is None:
        gid = int(group) if group.isdigit() else 0
    return int(uid), int(gid)


def _named(image: Entry, file: str, name: str) -> int:
    text = image.files[file].text if file in image.files else ""
    for line in (text or "").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2])
    raise ConfigError(f'failed to generate container spec: failed to resolve username "{name}": no users found')


def _check_not_root(context: Mapping[str, Any], image: Entry, uid: int, where: str) -> None:
    if context.get("runAsUser") is not None:
        if uid == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    name = image.user.partition(":")[0]
    if name and not name.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {where}"
        )
    if uid == 0:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def _capabilities(context: Mapping[str, Any]) -> frozenset[str]:
    if context.get("privileged"):
        return frozenset(CAPABILITIES)
    asked = context.get("capabilities") or {}
    dropped = {_bare(name) for name in asked.get("drop") or ()}
    kept = frozenset() if "ALL" in dropped else DEFAULT_CAPABILITIES - dropped
    added = {_bare(name) for name in asked.get("add") or ()}
    return frozenset(CAPABILITIES) if "ALL" in added else kept | (added & frozenset(CAPABILITIES))


def _bare(name: str) -> str:
    return name.upper().removeprefix("CAP_")
