"""Configuration and policy: ConfigMaps, Secrets, quotas, limits, roles, budgets, leases."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required, unsupported
from aegis.localcluster.apiserver.validation import autoscaling, values
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
_TOTAL_MAX = 1024 * 1024
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_SUBJECTS = ("ServiceAccount", "User", "Group")
_HIGHEST_PRIORITY = 1_000_000_000


def config_map(obj: Object) -> list[Cause]:
    """A ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    faults = _keys(data, "data") + _keys(binary, "binaryData")
    faults += [invalid_value(f"data[{k}]", k, "duplicate of key present in binaryData") for k in data if k in binary]
    return faults + _total({**data, **binary}, "")


def secret(obj: Object) -> list[Cause]:
    """A Secret."""
    data = obj.get("data") or {}
    faults = _keys(data, "data") + _total(data, "data")
    for key, value in data.items():
        if _decoded(value) is None:
            faults.append(invalid_value(f"data[{key}]", "<secret contents redacted>", "illegal base64 data"))
    kind = obj.get("type", "")
    faults += [required(f"data[{key}]") for key in _NEEDED.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/dockerconfigjson" and not faults and not _is_json(data[".dockerconfigjson"]):
        detail = "<secret contents redacted>"
        faults.append(invalid_value("data[.dockerconfigjson]", detail, "must be JSON"))
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        faults.append(required("data[username]"))
    return faults


def resource_quota(obj: Object) -> list[Cause]:
    """A ResourceQuota."""
    hard = (obj.get("spec") or {}).get("hard") or {}
    return [f for name, amount in hard.items() for f in values.quantity(amount, f"spec.hard[{name}]")]


def limit_range(obj: Object) -> list[Cause]:
    """A LimitRange."""
    faults: list[Cause] = []
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        here = f"spec.limits[{index}]"
        faults += values.present(item.get("type"), f"{here}.type")
        for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            for name, amount in (item.get(part) or {}).items():
                faults += values.quantity(amount, f"{here}.{part}[{name}]")
        if not faults:
            faults += _ordered(item, here)
    return faults


def _ordered(item: Object, here: str) -> list[Cause]:
    faults: list[Cause] = []
    for low, high in (
        ("min", "max"),
        ("min", "default"),
        ("defaultRequest", "default"),
        ("default", "max"),
        ("min", "defaultRequest"),
    ):
        for name, amount in (item.get(low) or {}).items():
            most = (item.get(high) or {}).get(name)
            if most is not None and _greater(amount, most):
                faults.append(
                    invalid_value(
                        f"{here}.{low}[{name}]",
                        str(amount),
                        f"{low} value {amount} is greater than {high} value {most}",
                    )
                )
    return faults


def _greater(one: Any, other: Any) -> bool:
    try:
        return parse_quantity(one) > parse_quantity(other)
    except QuantityError:
        return False


def role(obj: Object) -> list[Cause]:
    """A Role or ClusterRole."""
    faults: list[Cause] = []
    namespaced = bool(obj["metadata"].get("namespace"))
    for index, rule in enumerate(obj.get("rules") or ()):
        here = f"rules[{index}]"
        if not rule.get("verbs"):
            faults.append(required(f"{here}.verbs", "verbs must contain at least one value"))
        if rule.get("nonResourceURLs"):
            if namespaced:
                detail = "namespaced rules cannot apply to non-resource URLs"
                faults.append(invalid_value(f"{here}.nonResourceURLs", rule["nonResourceURLs"], detail))
            continue
        if not rule.get("apiGroups"):
            faults.append(required(f"{here}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            faults.append(required(f"{here}.resources", "resource rules must supply at least one resource"))
    return faults


def binding(obj: Object) -> list[Cause]:
    """A RoleBinding or ClusterRoleBinding."""
    reference = obj.get("roleRef") or {}
    faults = values.present(reference.get("name"), "roleRef.name")
    kinds = ("Role", "ClusterRole") if obj["metadata"].get("namespace") else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        faults.append(unsupported("roleRef.kind", reference.get("kind"), kinds))
    for index, subject in enumerate(obj.get("subjects") or ()):
        here = f"subjects[{index}]"
        faults += values.present(subject.get("name"), f"{here}.name")
        if subject.get("kind") not in _SUBJECTS:
            faults.append(unsupported(f"{here}.kind", subject.get("kind"), _SUBJECTS))
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            faults.append(required(f"{here}.namespace"))
    return faults


def priority_class(obj: Object) -> list[Cause]:
    """A PriorityClass."""
    value, name = obj.get("value", 0), obj["metadata"]["name"]
    faults: list[Cause] = []
    if name.startswith("system-"):
        faults.append(
            forbidden_field(
                "metadata.name", "priority class names with 'system-' prefix are reserved for system use only"
            )
        )
    if value > _HIGHEST_PRIORITY:
        faults.append(
            forbidden_field("value", f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}")
        )
    return faults


def disruption_budget(obj: Object) -> list[Cause]:
    """A PodDisruptionBudget."""
    spec = obj.get("spec") or {}
    faults = values.selector(spec.get("selector"), "spec.selector")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        faults.append(invalid_value("spec", "", "minAvailable and maxUnavailable cannot be both set"))
    for name in ("minAvailable", "maxUnavailable"):
        faults += values.amount_or_percent(spec.get(name), f"spec.{name}")
        faults += _beyond_all(spec.get(name), f"spec.{name}")
    policies = ("IfHealthyBudget", "AlwaysAllow")
    return faults + values.one_of(spec.get("unhealthyPodEvictionPolicy"), "spec.unhealthyPodEvictionPolicy", policies)


def autoscaler(obj: Object) -> list[Cause]:
    """A HorizontalPodAutoscaler."""
    spec = obj.get("spec") or {}
    target = spec.get("scaleTargetRef") or {}
    faults = values.present(target.get("kind"), "spec.scaleTargetRef.kind")
    faults += values.present(target.get("name"), "spec.scaleTargetRef.name")
    faults += values.not_negative(spec.get("maxReplicas", 0), "spec.maxReplicas", least=1)
    faults += values.not_negative(spec.get("minReplicas", 1), "spec.minReplicas", least=1)
    least, most = spec.get("minReplicas") or 1, spec.get("maxReplicas") or 0
    if isinstance(least, int) and isinstance(most, int) and 0 < most < least:
        faults.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    return faults + autoscaling.metrics(spec.get("metrics") or ()) + autoscaling.behavior(spec.get("behavior") or {})


def lease(obj: Object) -> list[Cause]:
    """A Lease."""
    seconds = (obj.get("spec") or {}).get("leaseDurationSeconds")
    return values.not_negative(seconds, "spec.leaseDurationSeconds", least=1)


def _beyond_all(value: Any, field: str) -> list[Cause]:
    percent = value.removesuffix("%") if isinstance(value, str) else ""
    if not percent.isdecimal() or int(percent) <= 100:  # noqa: PLR2004 - per cent
        return []
    return [invalid_value(field, value, "must not be greater than 100%")]


def _keys(data: Object, field: str) -> list[Cause]:
    bad = [k for k in data if not _KEY.fullmatch(k) or k in {".", ".."}]
    return [invalid_value(f"{field}[{k}]", k, _KEY_RULE) for k in bad]


def _total(data: Object, field: str) -> list[Cause]:
    size = sum(len(str(v)) for v in data.values())
    if size <= _TOTAL_MAX:
        return []
    return [
        Cause(reason="FieldValueTooLong", field=field, message=f"Too long: may not be more than {_TOTAL_MAX} bytes")
    ]


def _decoded(value: Any) -> bytes | None:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_json(value: str) -> bool:
    try:
        json.loads(_decoded(value) or b"")
    except ValueError:
        return False
    return True
