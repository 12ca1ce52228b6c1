"""Defaults of pods, wherever they stand: a Pod's spec, or the template of a workload."""

from __future__ import annotations

from typing import Any

_POD = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FILE_MODE = 0o644
_TOKEN_SECONDS = 3607


def default_pod_spec(spec: dict[str, Any]) -> None:
    """Fill in a pod spec, in place."""
    for name, value in _POD.items():
        spec.setdefault(name, value)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(group) or ():
            _default_container(container)
    if spec.get("hostNetwork"):
        _default_host_ports(spec)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def default_requests(spec: dict[str, Any]) -> None:
    """A request that is not given is its limit: for pods only, not for templates."""
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            resources = container.get("resources") or {}
            for name, limit in (resources.get("limits") or {}).items():
                resources.setdefault("requests", {}).setdefault(name, limit)


def image_tag(image: str) -> str:
    """The tag or digest of an image reference; `latest` where there is none."""
    if "@" in image:
        return image.split("@", 1)[1]
    last = image.rsplit("/", 1)[-1]
    return last.split(":", 1)[1] if ":" in last else "latest"


def _default_container(container: dict[str, Any]) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    latest = image_tag(str(container.get("image", ""))) == "latest"
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for probe in _PROBES:
        if container.get(probe):
            _default_probe(container[probe])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_http(hook)
    for variable in container.get("env") or ():
        if field := (variable.get("valueFrom") or {}).get("fieldRef"):
            field.setdefault("apiVersion", "v1")


def _default_probe(probe: dict[str, Any]) -> None:
    for name, value in _PROBE.items():
        probe.setdefault(name, value)
    _default_http(probe)
    if grpc := probe.get("grpc"):
        grpc.setdefault("service", "")


def _default_http(action: dict[str, Any]) -> None:
    if get := action.get("httpGet"):
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")


def _default_host_ports(spec: dict[str, Any]) -> None:
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if "containerPort" in port:
                port.setdefault("hostPort", port["containerPort"])


def _default_volume(volume: dict[str, Any]) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", _FILE_MODE)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if token := source.get("serviceAccountToken"):
            token.setdefault("expirationSeconds", _TOKEN_SECONDS)
        _default_items(source.get("downwardAPI"))
    _default_items(volume.get("downwardAPI"))


def _default_items(downward: dict[str, Any] | None) -> None:
    for item in (downward or {}).get("items") or ():
        if field := item.get("fieldRef"):
            field.setdefault("apiVersion", "v1")
