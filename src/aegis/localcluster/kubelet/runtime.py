"""How pods are kept apart on this machine: found by trying, never by guessing."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from aegis.localcluster.kubelet.images.registry import interpreter_prefix
from aegis.localcluster.kubelet.pods.watching import ContainerWatch, Watch
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Sandbox, Zygote
from aegis.localcluster.kubelet.sandbox.launch import Launch, Root
from aegis.localcluster.kubelet.watch.events import Subject

_log = logging.getLogger(__name__)

_NEVER_ENFORCED = (
    "cpu limits: processes share the machine as the kernel sees fit",
    "seccomp, AppArmor and SELinux profiles",
    "hostPath volumes: they begin empty and end with the pod",
    "hostNetwork, hostPID and hostPort: every pod has a network and processes of its own",
)
_ONE_USER = (
    "users: all files of a pod belong to one, whatever runAsUser says; groups and fsGroup have no effect",
    "folders below /usr that an image does not bring cannot be written to",
)

_PLAIN = (
    "NetworkPolicy: every pod reaches everything that this machine reaches",
    "ports: pods share this machine's; two that listen on the same one get in each other's way",
    "DNS: Services are reached by their variables only, on loopback addresses",
    "file systems: pods see this machine's files; volumes lie in folders that paths in commands are rewritten to",
    "users, capabilities and read-only roots",
    *_NEVER_ENFORCED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the kubelet can do here.

    Attributes:
        mode: how pods are kept apart.
        not_enforced: what a real node would enforce and this one does not, in words for a person.
        watched: whether the runtime watch sees what pods do.
    """

    mode: Literal["namespaces", "processes"]
    not_enforced: tuple[str, ...]
    watched: bool = False

    def with_watch(self, refusal: str | None) -> Capabilities:
        """With the runtime watch, or with the words for why there is none."""
        if refusal is None:
            return replace(self, watched=True)
        return replace(self, not_enforced=(*self.not_enforced, f"runtime watch: there are no falco pods: {refusal}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What runs pods.

    Attributes:
        sandboxes: who makes sandboxes, and connects them.
        node: the node's own place in the pods' network.
    """

    sandboxes: Zygote
    node: Sandbox

    async def stop(self) -> None:
        """End everything that runs."""
        self.node.close()
        await self.sandboxes.stop()


async def start_runtime(
    base: Path, mode: Literal["auto", "namespaces", "processes"], addresses: Sequence[str]
) -> tuple[Runtime, Capabilities]:
    """Start what runs pods, in the strongest mode that this machine allows or in the one that is asked for.

    Raises:
        SandboxError: the mode that is asked for is not possible here; the message says what was refused.
    """
    if mode != "processes":
        try:
            runtime = await _namespaces(base, addresses)
        except SandboxError as error:
            if mode == "namespaces":
                raise
            _log.warning("pods run as plain processes, since this machine refuses namespaces: %s", error)
        else:
            users = () if runtime.sandboxes.map_users else _ONE_USER
            return runtime, Capabilities(mode="namespaces", not_enforced=(*_NEVER_ENFORCED, *users))
    zygote = Zygote(base, plain=True)
    await zygote.start()
    node = await zygote.sandbox("node", addresses)
    return Runtime(sandboxes=zygote, node=node), Capabilities(mode="processes", not_enforced=_PLAIN)


async def _namespaces(base: Path, addresses: Sequence[str]) -> Runtime:
    zygote = Zygote(base)
    await zygote.start()
    try:
        node = await zygote.sandbox("node", addresses)
        await _try_out(node)
    except BaseException:
        await zygote.stop()
        raise
    return Runtime(sandboxes=zygote, node=node)


async def start_watch(runtime: Runtime) -> Watch:
    """Start the runtime watch, and try it out.

    Raises:
        SandboxError: this machine refuses it, or pods are plain processes; the message says which.
    """
    if runtime.sandboxes.plain:
        raise SandboxError("plain processes are not watched")
    watch = Watch()
    watch.joined(await runtime.sandboxes.watch(watch.note))
    nobody = Subject(node="", namespace="", pod="", container="", container_id="", repository="", tag="")
    runtime.node.oversee("watched", ContainerWatch(watch, nobody, sensor=False))
    await _try_out(runtime.node, "watched")
    return watch


async def _try_out(node: Sandbox, key: str = "trial") -> None:
    """Run a program with a root of its own: overlays, /proc and devices may be refused where namespaces are not.

    Raises:
        SandboxError: it does not run.
    """
    root = Root(prefix=interpreter_prefix())
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        asked = Launch(key=key, argv=("/bin/true",), env={}, root=root)
        ended = await (await node.start(asked, [nothing] * 3))
    finally:
        os.close(nothing)
    if ended.code:
        raise SandboxError(f"a program in a sandbox ended with {ended.code}")
