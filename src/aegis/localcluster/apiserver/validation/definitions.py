"""CustomResourceDefinitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import is_dns_label, is_dns_subdomain
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required, unsupported
from aegis.localcluster.apiserver.schema.checking import compiled
from aegis.localcluster.apiserver.schema.rules import RuleError, check_rule
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = (
    "$ref",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
    "id",
    "patternProperties",
    "readOnly",
    "writeOnly",
    "xml",
)
_VERSION = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def definition(obj: Object) -> list[Cause]:
    """A CustomResourceDefinition."""
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    faults = _names(spec, names)
    if not faults and obj["metadata"]["name"] != f"{names['plural']}.{spec['group']}":
        detail = 'must be spec.names.plural+"."+spec.group'
        faults.append(invalid_value("metadata.name", obj["metadata"]["name"], detail))
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        faults.append(unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced")))
    if (spec.get("conversion") or {}).get("strategy") not in {None, "None"}:
        faults.append(
            forbidden_field("spec.conversion.strategy", "the local cluster does not call conversion webhooks")
        )
    return faults + _versions(spec.get("versions") or [])


def _names(spec: Object, names: Object) -> list[Cause]:
    faults: list[Cause] = []
    group = spec.get("group")
    if not group:
        faults.append(required("spec.group"))
    elif not is_dns_subdomain(group) or "." not in group:
        faults.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    for name in ("plural", "singular", "kind"):
        value = names.get(name)
        if not value:
            faults.append(required(f"spec.names.{name}"))
        elif not is_dns_label(str(value).lower()):
            faults.append(invalid_value(f"spec.names.{name}", value, "must be a DNS-1035 label"))
    return faults


def _versions(versions: list[Any]) -> list[Cause]:
    if not versions:
        return [required("spec.versions", "must specify at least one version")]
    faults: list[Cause] = []
    stored = sum(bool(v.get("storage")) for v in versions)
    if stored != 1:
        faults.append(invalid_value("spec.versions", "", "must have exactly one version marked as storage version"))
    for index, version in enumerate(versions):
        here = f"spec.versions[{index}]"
        if not _VERSION.fullmatch(str(version.get("name", ""))):
            faults.append(invalid_value(f"{here}.name", version.get("name"), "must be a DNS-1035 label"))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            faults.append(required(f"{here}.schema.openAPIV3Schema", "schemas are required"))
        else:
            field = f"{here}.schema.openAPIV3Schema"
            if schema.get("type") != "object":
                faults.append(invalid_value(f"{field}.type", schema.get("type"), "must be object at the root"))
            faults += _schema(schema, field, root=True)
    return faults


def _schema(schema: Object, field: str, *, root: bool = False) -> Iterator[Cause]:
    loose = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    if not schema.get("type") and not loose:
        yield required(f"{field}.type", "must not be empty for specified object fields")
    elif schema.get("type") and schema["type"] not in _TYPES:
        yield unsupported(f"{field}.type", schema["type"], _TYPES)
    for name in _FORBIDDEN:
        if schema.get(name):
            yield forbidden_field(f"{field}.{name}", "not supported in a structural schema")
    if schema.get("type") == "array" and not schema.get("items"):
        yield required(f"{field}.items", "must be specified")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden_field(
            f"{field}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if root and schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid_value(
            f"{field}.x-kubernetes-preserve-unknown-fields", value=False, detail="must be true or undefined"
        )
    yield from _expressions(schema, field)
    for name, child in _children(schema):
        yield from _schema(child, f"{field}.{name}")


def _expressions(schema: Object, field: str) -> Iterator[Cause]:
    if pattern := schema.get("pattern"):
        try:
            compiled(pattern)
        except re.error as error:
            yield invalid_value(f"{field}.pattern", pattern, f"must be a valid regular expression: {error}")
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        here = f"{field}.x-kubernetes-validations[{index}]"
        for name in ("rule", "messageExpression"):
            if rule.get(name) and (fault := _rule_fault(rule[name])):
                yield invalid_value(f"{here}.{name}", rule[name], fault)
        if not rule.get("rule"):
            yield required(f"{here}.rule")


def _rule_fault(rule: str) -> str | None:
    try:
        check_rule(rule)
    except RuleError as error:
        return str(error)
    return None


def _children(schema: Object) -> Iterator[tuple[str, Object]]:
    for name, child in (schema.get("properties") or {}).items():
        yield f"properties[{name}]", child
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            yield name, schema[name]
