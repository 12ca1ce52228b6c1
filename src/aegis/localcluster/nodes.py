"""The nodes of the local cluster: what the scheduler sees of this machine."""

from __future__ import annotations

import platform
import uuid
from typing import Any

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import timestamp
from aegis.localcluster.options import ClusterOptions

_NAMESPACE = uuid.UUID("6f1d3f0e-5a0c-4a57-9d5c-0d5d3f4f5a11")
_STORAGE = "100Gi"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def node_names(options: ClusterOptions) -> list[str]:
    """The names of the nodes, in order."""
    return [f"aegis-local-{number}" for number in range(1, options.nodes + 1)]


def node_address(number: int) -> str:
    """The address of a node: one of the pods' network, where no pod has its own."""
    return f"10.243.255.{number}"


def create_nodes(api: ClusterApi, options: ClusterOptions, version: str) -> None:
    """Make every node, ready, with its lease.

    Raises:
        ApiError: a node was refused.
    """
    for number, name in enumerate(node_names(options), start=1):
        api.create("nodes", node(name, number, options, version), manager="kubelet")
        api.create("leases.coordination.k8s.io", _lease(name), manager="kubelet")


def node(name: str, number: int, options: ClusterOptions, version: str) -> Object:
    """One node as its kubelet would register it."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    labels = {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    room = {
        "cpu": options.cpu,
        "ephemeral-storage": _STORAGE,
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": options.memory,
        "pods": str(options.pods),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": node_address(number)},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": room,
            "capacity": room,
            "conditions": _conditions(),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": _info(name, architecture, version),
        },
    }


def _conditions() -> list[dict[str, Any]]:
    now = timestamp()
    facts = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in facts
    ]


def _info(name: str, architecture: str, version: str) -> dict[str, str]:
    identity = uuid.uuid5(_NAMESPACE, name)
    return {
        "architecture": architecture,
        "bootID": str(uuid.uuid4()),
        "containerRuntimeVersion": f"aegis-local://{version.removeprefix('v')}",
        "kernelVersion": platform.release(),
        "kubeProxyVersion": version,
        "kubeletVersion": version,
        "machineID": identity.hex,
        "operatingSystem": "linux",
        "osImage": "processes of this machine",
        "systemUUID": str(identity),
    }


def _lease(name: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40},
    }
