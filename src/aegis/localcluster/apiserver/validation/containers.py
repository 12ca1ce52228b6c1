"""Containers: names, images, ports, environment, resources, probes, mounts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.localcluster.apiserver.objects import is_dns_label, qualified_name_faults
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required, unsupported
from aegis.localcluster.apiserver.validation import values
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_ENV_NAME = re.compile(r"[^=\x00-\x1f\x7f-\uffff]+")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
_HUGE = "hugepages-"
_NATIVE = ("cpu", "memory", "ephemeral-storage")


def container_faults(container: Object, field: str, volumes: Set[str | None]) -> list[Cause]:
    """Every fault of a container at a field, in a pod that has these volumes."""
    faults: list[Cause] = []
    for check in _CHECKS:
        faults += check(container, field)
    return faults + _mounts(container, field, volumes)


def _identity(container: Object, field: str) -> list[Cause]:
    name, image = container.get("name"), container.get("image")
    faults = values.present(name, f"{field}.name")
    if name and not is_dns_label(name):
        faults.append(invalid_value(f"{field}.name", name, _LABEL_RULE))
    faults += values.present(image, f"{field}.image")
    if image and image != image.strip():
        faults.append(invalid_value(f"{field}.image", image, "must not have leading or trailing whitespace"))
    faults += values.one_of(
        container.get("imagePullPolicy"), f"{field}.imagePullPolicy", ("Always", "IfNotPresent", "Never")
    )
    policies = ("File", "FallbackToLogsOnError")
    return faults + values.one_of(
        container.get("terminationMessagePolicy"), f"{field}.terminationMessagePolicy", policies
    )


def _ports(container: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        here = f"{field}.ports[{index}]"
        if name := port.get("name"):
            faults += values.port_name(name, f"{here}.name")
            if name in names:
                faults.append(
                    Cause(reason="FieldValueDuplicate", field=f"{here}.name", message=f'Duplicate value: "{name}"')
                )
            names.add(name)
        if port.get("containerPort") in {None, 0}:
            faults.append(required(f"{here}.containerPort"))
        else:
            faults += values.port_number(port["containerPort"], f"{here}.containerPort")
        if port.get("hostPort"):
            faults += values.port_number(port["hostPort"], f"{here}.hostPort")
        faults += values.one_of(port.get("protocol"), f"{here}.protocol", ("SCTP", "TCP", "UDP"))
    return faults


def _environment(container: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for index, variable in enumerate(container.get("env") or ()):
        here, name = f"{field}.env[{index}]", variable.get("name")
        if not name:
            faults.append(required(f"{here}.name"))
        elif not _ENV_NAME.fullmatch(name):
            faults.append(
                invalid_value(
                    f"{here}.name",
                    name,
                    "a valid environment variable name must consist only of printable ASCII characters other than '='",
                )
            )
        faults += _value_source(variable, here)
    for index, source in enumerate(container.get("envFrom") or ()):
        here = f"{field}.envFrom[{index}]"
        chosen = [s for s in ("configMapRef", "secretRef") if source.get(s)]
        if len(chosen) != 1:
            faults.append(invalid_value(here, "", "must specify one of: `configMapRef` or `secretRef`"))
        else:
            faults += values.present(source[chosen[0]].get("name"), f"{here}.{chosen[0]}.name")
    return faults


def _value_source(variable: Object, here: str) -> list[Cause]:
    source = variable.get("valueFrom")
    if source is None:
        return []
    chosen = [s for s in _SOURCES if source.get(s)]
    if variable.get("value"):
        return [invalid_value(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")]
    if len(chosen) != 1:
        return [
            invalid_value(
                f"{here}.valueFrom",
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )
        ]
    reference, name = source[chosen[0]], chosen[0]
    if name in {"configMapKeyRef", "secretKeyRef"}:
        return values.present(reference.get("key"), f"{here}.valueFrom.{name}.key") + values.present(
            reference.get("name"), f"{here}.valueFrom.{name}.name"
        )
    key = "fieldPath" if name == "fieldRef" else "resource"
    return values.present(reference.get(key), f"{here}.valueFrom.{name}.{key}") if name != "fileKeyRef" else []


def _resources(container: Object, field: str) -> list[Cause]:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    faults: list[Cause] = []
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            here = f"{field}.resources.{part}.{name}"
            faults += values.quantity(amount, here)
            faults += _resource_name(name, f"{field}.resources.{part}")
    for name, request in requests.items():
        if name in limits and _exceeds(request, limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            faults.append(invalid_value(f"{field}.resources.requests", str(request), detail))
    return faults


def _resource_name(name: str, field: str) -> list[Cause]:
    if name in _NATIVE or name.startswith(_HUGE):
        return []
    if "/" not in name:
        return [invalid_value(field, name, "must be a standard resource type or fully qualified")]
    return qualified_name_faults(name, field)


def _exceeds(request: Any, limit: Any) -> bool:
    try:
        return parse_quantity(request) > parse_quantity(limit)
    except QuantityError:
        return False


def _probes(container: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for name in _PROBES:
        if probe := container.get(name):
            faults += _probe(probe, f"{field}.{name}", single=name != "readinessProbe")
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, Mapping):
            faults += _handler(handler, f"{field}.lifecycle.{hook}", _HOOK_HANDLERS)
    return faults


def _probe(probe: Object, here: str, *, single: bool) -> list[Cause]:
    faults = _handler(probe, here, _HANDLERS)
    for name, least in (
        ("initialDelaySeconds", 0),
        ("timeoutSeconds", 1),
        ("periodSeconds", 1),
        ("successThreshold", 1),
        ("failureThreshold", 1),
    ):
        faults += values.not_negative(probe.get(name), f"{here}.{name}", least=least)
    if single and probe.get("successThreshold", 1) != 1:
        faults.append(invalid_value(f"{here}.successThreshold", probe["successThreshold"], "must be 1"))
    return faults


def _handler(action: Object, here: str, known: tuple[str, ...]) -> list[Cause]:
    chosen = [h for h in known if action.get(h) is not None]
    if not chosen:
        return [required(here, "must specify a handler type")]
    faults: list[Cause] = []
    if len(chosen) > 1:
        faults.append(forbidden_field(f"{here}.{chosen[1]}", "may not specify more than 1 handler type"))
    detail = action[chosen[0]]
    if chosen[0] == "exec" and not detail.get("command"):
        faults.append(required(f"{here}.exec.command"))
    if chosen[0] in {"httpGet", "tcpSocket", "grpc"}:
        faults += values.port(detail.get("port"), f"{here}.{chosen[0]}.port")
    if chosen[0] == "httpGet":
        faults += values.present(detail.get("path"), f"{here}.httpGet.path")
        if detail.get("scheme") not in {None, "HTTP", "HTTPS"}:
            faults.append(unsupported(f"{here}.httpGet.scheme", detail["scheme"], ("HTTP", "HTTPS")))
    return faults


def _security(container: Object, field: str) -> list[Cause]:
    context = container.get("securityContext") or {}
    faults: list[Cause] = []
    for name in ("runAsUser", "runAsGroup"):
        faults += values.not_negative(context.get(name), f"{field}.securityContext.{name}")
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        faults.append(invalid_value(f"{field}.securityContext", "", detail))
    return faults


def _mounts(container: Object, field: str, volumes: Set[str | None]) -> list[Cause]:
    faults: list[Cause] = []
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here, path = f"{field}.volumeMounts[{index}]", mount.get("mountPath")
        faults += values.present(mount.get("name"), f"{here}.name")
        if mount.get("name") and mount["name"] not in volumes:
            faults.append(
                Cause(reason="FieldValueNotFound", field=f"{here}.name", message=f'Not found: "{mount["name"]}"')
            )
        faults += values.present(path, f"{here}.mountPath")
        if path and path in paths:
            faults.append(invalid_value(f"{here}.mountPath", path, "must be unique"))
        paths.add(str(path))
        sub = str(mount.get("subPath", ""))
        if sub.startswith("/") or ".." in sub.split("/"):
            faults.append(invalid_value(f"{here}.subPath", sub, "must be a relative path without '..'"))
    return faults


_CHECKS: tuple[Callable[[Object, str], list[Cause]], ...] = (
    _identity,
    _ports,
    _environment,
    _resources,
    _probes,
    _security,
)
