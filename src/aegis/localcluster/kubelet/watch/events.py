"""What the watch saw, as values: who did it, in which container, and what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The container that a watched program belongs to.

    Attributes:
        node: the name of its node.
        namespace: of its pod.
        pod: the pod's name.
        container: its name.
        container_id: the runtime's id, 64 hexadecimal digits.
        repository: of its image, with the registry.
        tag: of its image; empty for a digest.
        uid: its user, where the sandbox has only one.
        single_user: whether the sandbox has only one.
        shown: where ConfigMaps and the like are mounted: what lies there was not dropped by the pod.
        joined: whether the program was started in a container that runs already, as a probe's is.
    """

    node: str
    namespace: str
    pod: str
    container: str
    container_id: str
    repository: str
    tag: str
    uid: int = 0
    single_user: bool = False
    shown: tuple[str, ...] = ()
    joined: bool = False

    def to_message(self) -> dict[str, Any]:
        """A JSON-compatible form."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `to_message`."""
        return cls(**{**message, "shown": tuple(message["shown"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A process above another one, inside the same pod.

    Attributes:
        name: its short name (`comm`).
        command: name and arguments.
        exe: its first argument.
        exepath: the file that it runs.
    """

    name: str
    command: str
    exe: str
    exepath: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The process that did it.

    Attributes:
        name: its short name (`comm`).
        arguments: with the program itself as the first.
        exepath: the file that it runs, as its own root shows it.
        cwd: its working folder.
        tty: the device number of its terminal; 0 for none.
        ancestors: the nearest first, as far as they are inside the pod.
        session: the short name of its session's leader; None where that is outside of the pod or gone.
        uid: its user, inside the pod.
        user: the user's name in the container; None where nobody has that number.
        gid: its group, inside the pod.
        group: the group's name in the container.
        login_uid: the audit login user; -1 for none.
    """

    name: str
    arguments: tuple[str, ...]
    exepath: str
    cwd: str
    tty: int
    ancestors: tuple[Ancestor, ...] = ()
    session: str | None = None
    uid: int = 0
    user: str | None = None
    gid: int = 0
    group: str | None = None
    login_uid: int = -1

    @property
    def command(self) -> str:
        """The name and the arguments, as `proc.cmdline` shows them."""
        return " ".join((self.name, *self.arguments[1:]))

    @property
    def exe(self) -> str:
        """The first argument."""
        return self.arguments[0] if self.arguments else self.name

    @property
    def parent(self) -> Ancestor | None:
        """The nearest ancestor; None for what the container runtime started itself."""
        return self.ancestors[0] if self.ancestors else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A program that was executed.

    Attributes:
        call: `execve` or `execveat`.
        at: nanoseconds since the epoch.
        dropped: the file came into the container after its start.
        in_memory: the file is in no file system.
        writable: the process may write to the file.
        changed_at: when the file's inode changed last, nanoseconds since the epoch.
        modified_at: when its content changed last, nanoseconds since the epoch.
        container_started_at: nanoseconds since the epoch.
    """

    call: str
    at: int
    dropped: bool = False
    in_memory: bool = False
    writable: bool = False
    changed_at: int = 0
    modified_at: int = 0
    container_started_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that was opened for reading.

    Attributes:
        call: `open`, `openat` or `openat2`.
        at: nanoseconds since the epoch.
        path: absolute and without `.` or `..`, symbolic links as they were given.
        raw: as the program gave it.
    """

    call: str
    at: int
    path: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection that was begun, whatever became of it.

    Attributes:
        at: nanoseconds since the epoch.
        family: `ipv4` or `ipv6`.
        protocol: `tcp` or `udp`.
        local: address and port of the process's own end.
        remote: address and port of the other end.
    """

    at: int
    family: Literal["ipv4", "ipv6"]
    protocol: str
    local: tuple[str, int]
    remote: tuple[str, int]
    call: str = field(default="connect")


Event = Executed | Opened | Connected
