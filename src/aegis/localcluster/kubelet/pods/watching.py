"""The kubelet's side of the watch: it hands containers over to the sentry, and its alerts to the pods that read them.

A program of an image that is a sensor (as that of the `falco` DaemonSet) finds the alerts of its node on its standard
input, one JSON object a message. As with the kernel's buffer that the real one reads, what nobody reads is lost, and
what there is no room for is counted: `{"dropped": N}` follows.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet import wire
from aegis.localcluster.kubelet.images.reference import normalise
from aegis.localcluster.kubelet.sandbox.channel import Channel
from aegis.localcluster.kubelet.sandbox.launch import Launch
from aegis.localcluster.kubelet.watch.events import Subject

_KEPT_MAX = 2000
_SHOWN = frozenset({"configMap", "secret", "downwardAPI", "projected"})


class Watch:
    """The runtime watch of all nodes."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._readers: dict[str, list[_Reader]] = {}

    def joined(self, sentry: Channel) -> None:
        """Use the sentry behind this channel."""
        self._channel = sentry

    async def around(self, api_servers: Sequence[tuple[str, int]]) -> None:
        """Say where pods reach the API server.

        Raises:
            SandboxError: the sentry is gone.
        """
        await self._sentry.post({"op": "around", "api_servers": [list(server) for server in api_servers]})

    def note(self, message: wire.Message, fds: list[int]) -> None:
        """Take what the sentry says: an alert, or that it had to drop some."""
        for fd in fds:
            os.close(fd)
        for reader in tuple(self._readers.get(message.get("node", ""), ())):
            if message["event"] == "alert":
                reader.give(message["alert"])
            elif message["event"] == "lost":
                reader.lose(message["count"])

    async def door(self, subject: Subject) -> int:
        """A socket by which a program hands its listener over before it begins; the caller's to close.

        Raises:
            SandboxError: the sentry is gone.
        """
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                await self._sentry.post({"op": "watch", "subject": subject.to_message()}, [theirs.fileno()])
            except BaseException:
                mine.close()
                raise
        return mine.detach()

    def read(self, node: str) -> int:
        """A descriptor with the alerts of a node from now on, until it is closed: the caller's to do."""
        mine, theirs = wire.pair()
        readers = self._readers.setdefault(node, [])
        readers.append(_Reader(mine, readers.remove))
        return theirs.detach()

    def close(self) -> None:
        """Give nobody anything more."""
        for reader in [one for readers in self._readers.values() for one in readers]:
            reader.close()

    @property
    def _sentry(self) -> Channel:
        if self._channel is None:
            raise RuntimeError("the watch was not started")
        return self._channel


class _Reader:
    """One program that reads, and what it has not read yet."""

    def __init__(self, sock: socket.socket, gone: Callable[[_Reader], None]) -> None:
        self._sock, self._gone, self._kept = sock, gone, deque[bytes]()
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self._lost = 0
        sock.settimeout(0)
        # It never writes: what can be read is its end.
        self._loop.add_reader(sock.fileno(), self.close)

    def give(self, alert: dict[str, Any]) -> None:
        """Have it read an alert; one too many is lost."""
        if len(self._kept) >= _KEPT_MAX:
            self.lose(1)
            return
        self._kept.append(json.dumps(alert, separators=(",", ":")).encode())
        if not self._writing:
            self._write()

    def lose(self, count: int) -> None:
        """Have it read, after all that is kept, that so many alerts were lost."""
        self._lost += count
        if not self._writing:
            self._write()

    def close(self) -> None:
        """Give it nothing more."""
        self._wait(writing=False)
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._gone(self)

    def _write(self) -> None:
        try:
            while self._kept or self._lost:
                if self._kept:
                    self._sock.send(self._kept[0])
                    self._kept.popleft()
                else:
                    self._sock.send(json.dumps({"dropped": self._lost}).encode())
                    self._lost = 0
        except BlockingIOError:
            self._wait(writing=True)
        except OSError:
            self.close()
        else:
            self._wait(writing=False)

    def _wait(self, *, writing: bool) -> None:
        if writing == self._writing:
            return
        self._writing = writing
        if writing:
            self._loop.add_writer(self._sock.fileno(), self._write)
        else:
            self._loop.remove_writer(self._sock.fileno())


class ContainerWatch:
    """The watch of one container, as its sandbox asks for it."""

    def __init__(self, watch: Watch, subject: Subject, *, sensor: bool) -> None:
        """`sensor`: whether its program reads alerts; such a one is not watched itself."""
        self._watch, self._subject, self._sensor = watch, subject, sensor

    async def descriptors(self, stdio: Sequence[int], *, joined: bool) -> list[int]:
        """What a program of the container is given in the place of its standard streams.

        Args:
            stdio: input, output, error; they stay the caller's.
            joined: whether it is started in the container that runs already.

        Returns:
            Some of these, and new ones that are the caller's to close.

        Raises:
            SandboxError: the sentry is gone.
        """
        if not self._sensor:
            return [*stdio, await self._watch.door(replace(self._subject, joined=joined))]
        return [*stdio] if joined else [self._watch.read(self._subject.node), *stdio[1:]]


def subject(
    pod: Object, container: Mapping[str, Any], container_id: str, launch: Launch, *, single_user: bool
) -> Subject:
    """What alerts will say of a container's programs.

    Args:
        pod: as it is stored.
        container: of its spec.
        container_id: the runtime's, `containerd://…`.
        launch: what is started.
        single_user: whether the sandbox has only one user.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    name = normalise(container["image"]).partition("@")[0]
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    written = {volume["name"] for volume in spec.get("volumes") or () if not set(volume) & _SHOWN}
    mounts = launch.root.mounts if launch.root is not None else ()
    return Subject(
        node=spec["nodeName"],
        namespace=metadata["namespace"],
        pod=metadata["name"],
        container=container["name"],
        container_id=container_id.rpartition("/")[2],
        repository=repository,
        tag=tag,
        uid=launch.identity.uid,
        single_user=single_user,
        shown=tuple(mount.path.rstrip("/") for mount in mounts if mount.volume not in written),
    )
