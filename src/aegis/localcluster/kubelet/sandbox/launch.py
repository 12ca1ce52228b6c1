"""What the kubelet asks an agent to run: plain values that cross the wire as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFile:
    """One file that an image, or the kubelet, puts into a container's root.

    Exactly one of the first three is given.

    Attributes:
        text: its content.
        link: the target of a symbolic link.
        source: a file or folder of this machine that is shown there, read-only.
        mode: permission bits of a file with content.
    """

    text: str | None = None
    link: str | None = None
    source: str | None = None
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """A pod's volume inside a container.

    Attributes:
        volume: the volume's name.
        path: where the container sees it.
        sub_path: the part of the volume that it sees; empty for all of it.
        read_only: whether writing is refused.
    """

    volume: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A container's root file system: this machine's programs, an image's files, the pod's volumes.

    Attributes:
        prefix: the folder that appears as /usr/local, where the interpreter is not part of /usr itself.
        files: by absolute path.
        mounts: the pod's volumes.
        read_only: `readOnlyRootFilesystem`.
        termination: where the container may write why it ended.
    """

    prefix: str | None = None
    files: Mapping[str, RootFile] = field(default_factory=dict)
    mounts: tuple[VolumeMount, ...] = ()
    read_only: bool = False
    termination: str = "/dev/termination-log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """As whom a process runs, inside the pod.

    Attributes:
        uid: user.
        gid: primary group.
        groups: supplementary groups; only where the machine lets several users be mapped.
        capabilities: what user 0 may still do, by kernel name without `CAP_`.
        no_new_privileges: `allowPrivilegeEscalation: false`.
    """

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A program to be started in a sandbox.

    Attributes:
        key: what its end is reported under; unique within the sandbox.
        argv: program and arguments.
        env: its whole environment.
        cwd: its working folder, made if absent.
        identity: as whom.
        root: its root file system; None for a program that joins a running container.
        inside: the key of the container to join.
        memory_limit: bytes beyond which the container is killed.
        share_pids: whether it sees the other containers' processes.
        tty: whether its standard input is the terminal that controls it.
    """

    key: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"
    identity: Identity = field(default_factory=Identity)
    root: Root | None = None
    inside: str | None = None
    memory_limit: int | None = None
    share_pids: bool = False
    tty: bool = False

    def to_message(self) -> dict[str, Any]:
        """A JSON-compatible form."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `to_message`."""
        root = message["root"]
        return cls(**{
            **message,
            "argv": tuple(message["argv"]),
            "identity": Identity(**{
                **message["identity"],
                "groups": tuple(message["identity"]["groups"]),
                "capabilities": tuple(message["identity"]["capabilities"]),
            }),
            "root": root
            and Root(**{
                **root,
                "files": {path: RootFile(**file) for path, file in root["files"].items()},
                "mounts": tuple(VolumeMount(**mount) for mount in root["mounts"]),
            }),
        })


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPlan:
    """A sandbox to be made.

    Attributes:
        hostname: of all its containers.
        addresses: its IPv4 addresses.
        base: an existing folder of this machine over which the sandbox mounts its own, private one.
        plain: whether it is made without namespaces.
        map_users: whether 65,536 users are mapped as they are, which only a privileged zygote may; else one.
    """

    hostname: str
    addresses: tuple[str, ...]
    base: str
    plain: bool = False
    map_users: bool = False
