"""The Node objects: what the kubelet registers and keeps alive."""

from __future__ import annotations

import platform
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.times import timestamp

VERSION = "v1.33.0"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
LEASES = "kube-node-lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node to be simulated.

    Attributes:
        name: of the Node object.
        cpu: as a Kubernetes quantity.
        memory: as a Kubernetes quantity.
        pods: how many pods it takes.
    """

    name: str
    cpu: str = "4"
    memory: str = "8Gi"
    pods: int = 110
    labels: Mapping[str, str] | None = None


def node_object(spec: NodeSpec, address: str, pod_network: str, now: float) -> Object:
    """A ready Node."""
    capacity = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.pods), "ephemeral-storage": "50Gi"}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": {**labels, **(spec.labels or {})}},
        "spec": {"podCIDR": pod_network, "podCIDRs": [pod_network], "providerID": f"local://{spec.name}"},
        "status": {
            "capacity": capacity,
            "allocatable": dict(capacity),
            "conditions": conditions(now, now),
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": spec.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": _info(spec.name, machine),
        },
    }


def conditions(since: float, now: float) -> list[dict[str, Any]]:
    """The conditions of a healthy node."""
    rows = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": timestamp(now),
            "lastTransitionTime": timestamp(since),
        }
        for kind, status, reason, message in rows
    ]


def lease_object(name: str, renewed: str) -> Object:
    """The Lease by which a node says that it lives; `renewed` is an RFC 3339 time with microseconds."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASES},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": renewed},
    }


def _info(name: str, machine: str) -> dict[str, str]:
    return {
        "machineID": uuid.uuid5(uuid.NAMESPACE_DNS, name).hex,
        "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"system.{name}")),
        "bootID": str(uuid.uuid4()),
        "kernelVersion": platform.release(),
        "osImage": f"local cluster (Python {sys.version_info.major}.{sys.version_info.minor})",
        "containerRuntimeVersion": "containerd://2.0.0-local",
        "kubeletVersion": VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": machine,
    }
