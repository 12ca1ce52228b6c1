"""Fixes that take single fields of the pod template back to what a good revision had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aegis.diagnosis.case import Case
from aegis.diagnosis.graph import Node
from aegis.diagnosis.history import Revision, good_revisions
from aegis.diagnosis.mend import can_change_template, from_revision, json_fix
from aegis.diagnosis.reading import mapping
from aegis.kube.pod_template import containers, pod_spec_of, template_path
from aegis.model.changes import Fix, Risk
from aegis.model.refs import Json, JsonObject


def restore_container(case: Case, container: str, fields: Iterable[str], *, what: str) -> tuple[Fix, ...]:
    """The fields of one container as the newest good revision has them, if it has others.

    Args:
        case: where.
        container: its name.
        fields: such as `command`, `livenessProbe`.
        what: for the summary: `the command`.
    """
    node = case.subject
    found = next((c for c in containers(pod_spec_of(node.obj) or {}) if c.name == container), None)
    if found is None or not can_change_template(node):
        return ()
    base = f"/{'/'.join((*template_path(node.ref.kind), 'spec'))}/{found.group}/{found.index}"
    for revision in good_revisions(case.graph, node):
        good = revision.container(container)
        if good and (operations := _operations(base, found.spec, good, fields)):
            return (_fix(case, node, operations, revision, f"{found.path}", f"{what} of container {container}"),)
    return ()


def restore_pod(case: Case, fields: Iterable[str], *, what: str) -> tuple[Fix, ...]:
    """Fields of the pod spec itself as the newest good revision has them, if it has others."""
    node = case.subject
    if not can_change_template(node):
        return ()
    base = f"/{'/'.join((*template_path(node.ref.kind), 'spec'))}"
    for revision in good_revisions(case.graph, node):
        good = mapping(revision.template.get("spec"))
        if operations := _operations(base, pod_spec_of(node.obj) or {}, good, fields):
            return (_fix(case, node, operations, revision, "", what),)
    return ()


def _operations(base: str, now: Json, good: Json, fields: Iterable[str]) -> list[JsonObject]:
    operations: list[JsonObject] = []
    for field in fields:
        if now.get(field) == good.get(field):
            continue
        if field in good:
            operations.append({"op": "add", "path": f"{base}/{field}", "value": good[field]})
        else:
            operations.append({"op": "remove", "path": f"{base}/{field}"})
    return operations


def _fix(  # noqa: PLR0917 - all of it is needed, and only here
    case: Case, node: Node, operations: list[JsonObject], revision: Revision, path: str, what: str
) -> Fix:
    values: list[tuple[str, Any]] = [(op["path"].rpartition("/")[2], op["value"]) for op in operations if "value" in op]
    prefix = f"{path}." if path else ""
    return json_fix(
        case,
        node,
        operations,
        id="restore-" + "-".join(sorted({op["path"].rpartition("/")[2].lower() for op in operations})),
        summary=f"Set {what} back to what {revision.node.ref.kind} {revision.node.ref.name} has",
        risk=Risk.LOW,
        provenance=[from_revision(node, f"{prefix}{field}", value, revision) for field, value in values],
    )
