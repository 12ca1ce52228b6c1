"""Pods, and the pod specs within workloads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import is_dns_label, is_dns_subdomain, label_faults
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required
from aegis.localcluster.apiserver.validation import values
from aegis.localcluster.apiserver.validation.containers import container_faults
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_SOURCES = frozenset({
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "configMap", "csi", "downwardAPI",
    "emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath",
    "image", "iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected",
    "quobyte", "rbd", "scaleIO", "secret", "storageos", "vsphereVolume",
})  # fmt: skip
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_LABEL_RULE = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"


def pod(obj: Object) -> list[Cause]:
    """A Pod."""
    return pod_spec(obj.get("spec") or {}, "spec")


def template(obj: Object | None, field: str) -> list[Cause]:
    """A pod template."""
    if not obj:
        return [required(field)]
    metadata = obj.get("metadata") or {}
    return label_faults(metadata.get("labels"), f"{field}.labels") + pod_spec(obj.get("spec") or {}, f"{field}.spec")


def pod_spec(spec: Object, field: str) -> list[Cause]:
    """A pod spec at a field."""
    faults: list[Cause] = []
    for check in _CHECKS:
        faults += check(spec, field)
    return faults


def _containers(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    if not spec.get("containers"):
        faults.append(required(f"{field}.containers"))
    seen: set[str] = set()
    volumes = {v.get("name") for v in spec.get("volumes") or ()}
    for group, index, container in _each(spec):
        here = f"{field}.{group}[{index}]"
        faults += container_faults(container, here, volumes)
        name = container.get("name")
        if name in seen:
            faults.append(
                Cause(reason="FieldValueDuplicate", field=f"{here}.name", message=f'Duplicate value: "{name}"')
            )
        seen.add(str(name))
    return faults


def _each(spec: Object) -> Iterator[tuple[str, int, Object]]:
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield group, index, container


def _scalars(spec: Object, field: str) -> list[Cause]:
    faults = values.one_of(spec.get("restartPolicy"), f"{field}.restartPolicy", ("Always", "OnFailure", "Never"))
    policies = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    faults += values.one_of(spec.get("dnsPolicy"), f"{field}.dnsPolicy", policies)
    grace = spec.get("terminationGracePeriodSeconds")
    faults += values.not_negative(grace, f"{field}.terminationGracePeriodSeconds")
    faults += values.not_negative(spec.get("activeDeadlineSeconds"), f"{field}.activeDeadlineSeconds", least=1)
    for name in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        value = spec.get(name)
        if value and not is_dns_subdomain(value):
            faults.append(invalid_value(f"{field}.{name}", value, "a lowercase RFC 1123 subdomain is required"))
    for name in ("hostname", "subdomain"):
        value = spec.get(name)
        if value and not is_dns_label(value):
            faults.append(invalid_value(f"{field}.{name}", value, _LABEL_RULE))
    return faults + label_faults(spec.get("nodeSelector"), f"{field}.nodeSelector")


def _volumes(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    seen: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        here, name = f"{field}.volumes[{index}]", volume.get("name")
        if not name:
            faults.append(required(f"{here}.name"))
        elif not is_dns_label(name):
            faults.append(invalid_value(f"{here}.name", name, _LABEL_RULE))
        elif name in seen:
            faults.append(
                Cause(reason="FieldValueDuplicate", field=f"{here}.name", message=f'Duplicate value: "{name}"')
            )
        seen.add(str(name))
        sources = [s for s in volume if s in _SOURCES]
        if len(sources) > 1:
            faults.append(forbidden_field(f"{here}.{sources[1]}", "may not specify more than 1 volume type"))
        elif not sources:
            faults.append(required(here, "must specify a volume type"))
        faults += _volume_source(volume, here)
    return faults


def _volume_source(volume: Object, here: str) -> list[Cause]:
    names = {"secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName", "hostPath": "path"}
    faults: list[Cause] = []
    for source, key in names.items():
        if isinstance(volume.get(source), Mapping):
            faults += values.present(volume[source].get(key), f"{here}.{source}.{key}")
    limit = (volume.get("emptyDir") or {}).get("sizeLimit")
    if limit is not None:
        faults += values.quantity(limit, f"{here}.emptyDir.sizeLimit")
    return faults


def _tolerations(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        here = f"{field}.tolerations[{index}]"
        operator = toleration.get("operator") or "Equal"
        faults += values.one_of(operator, f"{here}.operator", ("Equal", "Exists"))
        faults += values.one_of(toleration.get("effect") or None, f"{here}.effect", _EFFECTS)
        if operator == "Exists" and toleration.get("value"):
            faults.append(
                invalid_value(
                    f"{here}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'"
                )
            )
        if not toleration.get("key") and operator != "Exists":
            faults.append(
                invalid_value(
                    f"{here}.operator",
                    operator,
                    'operator must be Exists when `key` is empty, which means "match all values and all keys"',
                )
            )
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            faults.append(
                invalid_value(
                    f"{here}.effect",
                    toleration.get("effect"),
                    "effect must be 'NoExecute' when `tolerationSeconds` is set",
                )
            )
    return faults


def _security(spec: Object, field: str) -> list[Cause]:
    context = spec.get("securityContext") or {}
    faults: list[Cause] = []
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        faults += values.not_negative(context.get(name), f"{field}.securityContext.{name}")
    for index, sysctl in enumerate(context.get("sysctls") or ()):
        if not re.fullmatch(r"[a-z0-9]([-_a-z0-9./]*[a-z0-9])?", str(sysctl.get("name", ""))):
            faults.append(
                invalid_value(f"{field}.securityContext.sysctls[{index}].name", sysctl.get("name"), "is no sysctl name")
            )
    return faults


def _spread(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        here = f"{field}.topologySpreadConstraints[{index}]"
        faults += values.not_negative(constraint.get("maxSkew", 0), f"{here}.maxSkew", least=1)
        faults += values.present(constraint.get("topologyKey"), f"{here}.topologyKey")
        choices = ("DoNotSchedule", "ScheduleAnyway")
        faults += values.one_of(constraint.get("whenUnsatisfiable", ""), f"{here}.whenUnsatisfiable", choices)
    return faults


_CHECKS: tuple[Callable[[Object, str], list[Cause]], ...] = (
    _volumes,
    _containers,
    _scalars,
    _security,
    _tolerations,
    _spread,
)
