"""Makes fixes: minimal patches of the object that must change, every value with its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jsonpatch

from aegis.diagnosis.case import Case
from aegis.diagnosis.graph import Node, Tie
from aegis.diagnosis.history import Revision, bare_template
from aegis.diagnosis.reading import number, text
from aegis.evidence.ledger import spec_hash_of
from aegis.kube.pod_template import containers, pod_spec_of, template_of, template_path
from aegis.model.changes import Apply, Change, ChangeSet, Fix, JsonPatch, Provenance, Risk
from aegis.model.redact import contains_mark
from aegis.model.refs import JsonObject

_PATCHABLE_TEMPLATES = frozenset({
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "CronJob",
    "ReplicationController",
})


def change_set(case: Case, node: Node, changes: Sequence[Change]) -> ChangeSet | None:
    """The changes bound to the object as the evidence holds it; None where it does not hold it (or not its uid)."""
    uid = text(node.metadata.get("uid"))
    if not node.present or not uid or contains_mark([getattr(change, "patch", None) for change in changes]):
        return None
    return ChangeSet(
        target=node.ref,
        target_uid=uid,
        base_generation=number(node.metadata.get("generation")),
        spec_hash=spec_hash_of(node.obj, autoscaled=is_autoscaled(case, node)),
        changes=tuple(changes),
    )


def is_autoscaled(case: Case, node: Node) -> bool:
    """Whether an autoscaler owns the number of replicas."""
    return bool(case.graph.into(node.key, Tie.TARGETS))


def template_patch(node: Node, template: JsonObject) -> JsonObject:
    """A partial object that holds only a part of the pod template."""
    patch: JsonObject = template
    for key in reversed(template_path(node.ref.kind)):
        patch = {key: patch}
    return patch


def container_patch(node: Node, container: str, fields: JsonObject) -> JsonObject:
    """A partial object that changes fields of one container, which its name finds."""
    return template_patch(node, {"spec": {_group(node, container): [{"name": container, **fields}]}})


def template_field(node: Node, field: str) -> str:
    """The dotted path of a field of the pod template."""
    return ".".join((*template_path(node.ref.kind), "spec", field))


def container_path(node: Node, container: str) -> str:
    """Where a container stands in the pod spec: `containers[web]`, `initContainers[wait]`."""
    return f"{_group(node, container)}[{container}]"


def from_revision(node: Node, field: str, value: Any, revision: Revision) -> Provenance:
    """A value that a good revision had."""
    path = template_field(node, field)
    return Provenance(path=path, value=value, source=revision.source, evidence_id=revision.node.evidence_id)


def from_object(path: str, value: Any, source: Node, where: str) -> Provenance:
    """A value that another object holds."""
    said = f"{source.ref.kind} {source.ref.name}, {where}"
    return Provenance(path=path, value=value, source=said, evidence_id=source.evidence_id)


def _group(node: Node, container: str) -> str:
    spec = pod_spec_of(node.obj) or {}
    return next((found.group for found in containers(spec) if found.name == container), "containers")


def can_change_template(node: Node) -> bool:
    """Whether the pods of this object follow a change of its template."""
    return node.present and node.ref.kind in _PATCHABLE_TEMPLATES


def patch_fix(
    case: Case,
    node: Node,
    patch: JsonObject,
    *,
    id: str,  # noqa: A002 - the name that a Fix gives it
    summary: str,
    risk: Risk,
    provenance: Iterable[Provenance],
) -> Fix:
    """A fix by server-side apply of a partial object; a person's where the object cannot be bound."""
    changes = change_set(case, node, [Apply(target=node.ref, patch=patch)])
    return Fix(
        id=id,
        summary=summary,
        change_set=changes,
        risk=risk,
        provenance=tuple(provenance),
        needs=None if changes else "human",
    )


def json_fix(
    case: Case,
    node: Node,
    operations: Sequence[JsonObject],
    *,
    id: str,  # noqa: A002 - the name that a Fix gives it
    summary: str,
    risk: Risk,
    provenance: Iterable[Provenance],
) -> Fix:
    """A fix by RFC 6902 operations; a person's where the object cannot be bound."""
    changes = change_set(case, node, [JsonPatch(target=node.ref, patch=tuple(operations))])
    return Fix(
        id=id,
        summary=summary,
        change_set=changes,
        risk=risk,
        provenance=tuple(provenance),
        needs=None if changes else "human",
    )


def human_fix(id: str, summary: str, *, risk: Risk = Risk.MEDIUM) -> Fix:  # noqa: A002 - the name that a Fix gives it
    """What a person has to do: AEGIS lacks a value, or may not decide."""
    return Fix(id=id, summary=summary, change_set=None, risk=risk, needs="human")


def restore_template(case: Case, node: Node, revision: Revision) -> Fix | None:
    """Go back to a good revision's whole template.

    Where the template holds something that was redacted when it was read, only what differs is changed, so that nothing
    redacted has to be written.
    """
    path = template_path(node.ref.kind)
    if not can_change_template(node) or not path:
        return None
    field, pointer = ".".join(path), "/" + "/".join(path)
    template = dict(revision.template)
    operations: list[JsonObject] = [{"op": "replace", "path": pointer, "value": template}]
    if contains_mark(template):
        now = bare_template(template_of(node.obj) or {})
        operations = [{**op, "path": pointer + op["path"]} for op in jsonpatch.make_patch(now, template).patch]
    source = {"source": revision.source, "evidence_id": revision.node.evidence_id}
    return json_fix(
        case,
        node,
        operations,
        id="roll-back",
        summary=f"Roll {node.ref.kind} {node.ref.name} back to {revision.source}",
        risk=Risk.MEDIUM,
        provenance=[Provenance(path=field, value=op["value"], **source) for op in operations if "value" in op],
    )
