"""From a pod's container to what its sandbox is asked to run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.kube.quantity import parse_quantity
from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.network.dns import ZONE
from aegis.localcluster.kubelet.network.switch import DNS_SERVICE
from aegis.localcluster.kubelet.pods.environment import ConfigError, Lookup, command, environment, expand
from aegis.localcluster.kubelet.pods.security import identity
from aegis.localcluster.kubelet.sandbox.launch import Launch, Root, RootFile, VolumeMount

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a launch needs beside the pod itself.

    Attributes:
        services: the variables that name Services.
        prefix: what appears as /usr/local.
        lookup: where ConfigMaps and Secrets are found.
    """

    services: Mapping[str, str]
    prefix: str | None
    lookup: Lookup


def launch(pod: Object, container: Mapping[str, Any], image: Entry, run: int, *, around: Surroundings) -> Launch:
    """What to run for the `run`-th time of a container.

    Raises:
        ConfigError: the container cannot be made as its pod asks; the message is the kubelet's.
    """
    who = identity(pod, container, image)
    base = {"PATH": _PATH, "HOSTNAME": hostname(pod), "HOME": "/root" if who.uid == 0 else "/", **around.services}
    env = environment(pod, container, base, image=image, lookup=around.lookup)
    argv = command(container, image, env)
    if not argv:
        raise ConfigError("no command specified")
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    context = container.get("securityContext") or {}
    return Launch(
        key=f"{container['name']}.{run}",
        argv=argv,
        env=env,
        cwd=container.get("workingDir") or image.workdir,
        identity=who,
        root=Root(
            prefix=around.prefix,
            files={**image.files, **_network_files(pod)},
            mounts=tuple(_mount(mount, env) for mount in container.get("volumeMounts") or ()),
            read_only=bool(context.get("readOnlyRootFilesystem")),
            termination=container.get("terminationMessagePath") or "/dev/termination-log",
        ),
        memory_limit=int(parse_quantity(limit)) if limit else None,
        share_pids=bool(pod["spec"].get("shareProcessNamespace")),
        tty=bool(container.get("tty")),
    )


def hostname(pod: Object) -> str:
    """A pod's host name."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63]


def _mount(mount: Mapping[str, Any], env: Mapping[str, str]) -> VolumeMount:
    sub_path = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise ConfigError(f'failed to prepare subPath for volumeMount "{mount["name"]}": must not contain ".."')
    return VolumeMount(
        volume=mount["name"],
        path=mount["mountPath"] if mount["mountPath"].startswith("/") else f"/{mount['mountPath']}",
        sub_path=sub_path,
        read_only=bool(mount.get("readOnly")),
    )


def _network_files(pod: Object) -> dict[str, RootFile]:
    return {
        "/etc/hosts": RootFile(text=_hosts(pod)),
        "/etc/hostname": RootFile(text=hostname(pod) + "\n"),
        "/etc/resolv.conf": RootFile(text=_resolver(pod)),
    }


def _hosts(pod: Object) -> str:
    spec, name = pod["spec"], hostname(pod)
    names = name
    if spec.get("subdomain"):
        names = f"{name}.{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{ZONE}\t{name}"
    lines = ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines.append(f"{(pod.get('status') or {}).get('podIP', '127.0.0.1')}\t{names}")
    aliases = spec.get("hostAliases") or ()
    if aliases:
        lines.append("\n# Entries added by HostAliases.")
        lines += [f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or ()) for alias in aliases]
    return "\n".join(lines) + "\n"


def _resolver(pod: Object) -> str:
    spec, config = pod["spec"], pod["spec"].get("dnsConfig") or {}
    servers, searches, options = [], [], []
    if spec.get("dnsPolicy", "ClusterFirst") in {"ClusterFirst", "ClusterFirstWithHostNet"}:
        namespace = pod["metadata"]["namespace"]
        servers, options = [DNS_SERVICE], ["ndots:5"]
        searches = [f"{namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE]
    servers += config.get("nameservers") or ()
    searches += config.get("searches") or ()
    own = [f"{one['name']}:{one['value']}" if one.get("value") else one["name"] for one in config.get("options") or ()]
    lines = [f"nameserver {server}" for server in servers or ["127.0.0.1"]]
    if searches:
        lines.insert(0, "search " + " ".join(searches))
    if options or own:
        kept = [option for option in options if option.split(":")[0] not in {one.split(":")[0] for one in own}]
        lines.append("options " + " ".join(kept + own))
    return "\n".join(lines) + "\n"
