"""Small facts of every object: copies, times, names and the metadata that only the server may write."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aegis.localcluster.apiserver.refusals import invalid_value, required
from aegis.localcluster.status import Cause

Object = dict[str, Any]

SYSTEM_METADATA = (
    "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
    "name", "namespace", "generateName", "selfLink", "managedFields",
)  # fmt: skip

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_MAX, _SUBDOMAIN_MAX = 63, 253
_ANNOTATIONS_MAX = 256 * 1024
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH, _GENERATED_BASE = 5, 58

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def copied(value: Any) -> Any:
    """A deep copy of JSON."""
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, list):
        return [copied(v) for v in value]
    return value


def now() -> datetime:
    """The current time, aware."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 to the second, as metadata holds it."""
    return (moment or now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    """A fresh UID."""
    return str(uuid.uuid4())


def generated_name(prefix: str) -> str:
    """A name from `generateName`: the prefix (cut to fit) and five random characters without vowels."""
    return prefix[:_GENERATED_BASE] + "".join(secrets.choice(_SUFFIX) for _ in range(_SUFFIX_LENGTH))


def is_dns_label(name: str) -> bool:
    """Whether a name is an RFC 1123 label."""
    return len(name) <= _LABEL_MAX and _DNS_LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Whether a name is an RFC 1123 subdomain."""
    return len(name) <= _SUBDOMAIN_MAX and _DNS_SUBDOMAIN.fullmatch(name) is not None


def name_faults(kind: str, name: str, field: str = "metadata.name") -> list[Cause]:
    """What is wrong with the name of an object of this kind."""
    if kind in {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}:
        bad = name in {".", ".."} or "/" in name or "%" in name
        return [invalid_value(field, name, "may not contain '/' or '%'")] if bad else []
    longest = _LABEL_MAX if kind in {"Namespace", "Service"} else _SUBDOMAIN_MAX
    if len(name) > longest:
        return [invalid_value(field, name, f"must be no more than {longest} characters")]
    rules: dict[str, tuple[re.Pattern[str], str]] = {
        "Namespace": (_DNS_LABEL, _LABEL_RULE),
        "Service": (_SERVICE_NAME, _SERVICE_RULE),
    }
    pattern, rule = rules.get(kind, (_DNS_SUBDOMAIN, _SUBDOMAIN_RULE))
    return [] if pattern.fullmatch(name) else [invalid_value(field, name, rule)]


def qualified_name_faults(key: str, field: str) -> list[Cause]:
    """What is wrong with a label or annotation key."""
    prefix, _, name = key.rpartition("/")
    faults = []
    if "/" in key and not is_dns_subdomain(prefix):
        faults.append(invalid_value(field, key, f"prefix part {_SUBDOMAIN_RULE}"))
    if not name or len(name) > _LABEL_MAX or not _QUALIFIED.fullmatch(name):
        faults.append(invalid_value(field, key, _QUALIFIED_RULE))
    return faults


def label_faults(labels: object, field: str) -> list[Cause]:
    """What is wrong with a set of labels."""
    if labels is None:
        return []
    if not isinstance(labels, Mapping):
        return [invalid_value(field, labels, "must be a map of strings")]
    faults: list[Cause] = []
    for key, value in labels.items():
        faults += qualified_name_faults(str(key), field)
        if not isinstance(value, str):
            faults.append(invalid_value(field, value, "must be a string"))
        elif len(value) > _LABEL_MAX or (value and not _QUALIFIED.fullmatch(value)):
            faults.append(invalid_value(field, value, _VALUE_RULE))
    return faults


def metadata_faults(kind: str, metadata: Mapping[str, Any]) -> list[Cause]:
    """What is wrong with an object's metadata."""
    faults = name_faults(kind, metadata["name"]) if metadata.get("name") else []
    checks: tuple[Callable[[Mapping[str, Any]], list[Cause]], ...] = (
        _annotation_faults,
        _owner_faults,
        _finalizer_faults,
    )
    faults += label_faults(metadata.get("labels"), "metadata.labels")
    for check in checks:
        faults += check(metadata)
    return faults


def _annotation_faults(metadata: Mapping[str, Any]) -> list[Cause]:
    annotations = metadata.get("annotations") or {}
    faults: list[Cause] = []
    for key in annotations:
        faults += qualified_name_faults(str(key).lower(), "metadata.annotations")
    if sum(len(str(k)) + len(str(v)) for k, v in annotations.items()) > _ANNOTATIONS_MAX:
        message = f"Too long: may not be more than {_ANNOTATIONS_MAX} bytes"
        faults.append(Cause(reason="FieldValueTooLong", field="metadata.annotations", message=message))
    return faults


def _owner_faults(metadata: Mapping[str, Any]) -> list[Cause]:
    owners = metadata.get("ownerReferences") or ()
    faults = [
        required(f"metadata.ownerReferences[{index}].{name}")
        for index, owner in enumerate(owners)
        for name in ("apiVersion", "kind", "name", "uid")
        if not owner.get(name)
    ]
    controllers = [o for o in owners if o.get("controller")]
    if len(controllers) > 1:
        detail = "Only one reference can have Controller set to true"
        faults.append(invalid_value("metadata.ownerReferences", f"{len(controllers)} controllers", detail))
    return faults


def _finalizer_faults(metadata: Mapping[str, Any]) -> list[Cause]:
    finalizers = metadata.get("finalizers") or []
    faults = [f for name in finalizers for f in qualified_name_faults(str(name), "metadata.finalizers")]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        detail = "finalizer orphan and finalizer foregroundDeletion cannot be both set"
        faults.append(invalid_value("metadata.finalizers", finalizers, detail))
    return faults
