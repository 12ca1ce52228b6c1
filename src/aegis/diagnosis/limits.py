"""Fixes that bring requests and limits within bounds that the cluster states."""

from __future__ import annotations

from decimal import Decimal

from aegis.diagnosis.case import Case
from aegis.diagnosis.graph import Node
from aegis.diagnosis.mend import can_change_template, container_patch, patch_fix, template_field
from aegis.diagnosis.reading import at, items, mapping, quantity
from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of
from aegis.kube.quantity import format_quantity
from aegis.model.changes import Fix, Provenance, Risk


def fit_limit_range(case: Case, *, resource: str, bound: str, most: bool) -> tuple[Fix, ...]:
    """Requests and limits of the one container that is out of bounds, set to the bound that the LimitRange states."""
    node, value = case.subject, quantity(bound)
    source = _limit_range(case, resource, value, "max" if most else "min")
    if value is None or source is None or not can_change_template(node):
        return ()
    out = [found for found in containers(pod_spec_of(node.obj) or {}) if _out(found, resource, value, most=most)]
    if len(out) != 1:
        return ()
    resources = {
        field: {resource: bound}
        for field in ("limits", "requests")
        if _is_out(quantity(at(out[0].spec, "resources", field, resource)), value, most=most)
    }
    path = template_field(node, f"{out[0].path}.resources")
    said = f"LimitRange {source.ref.name}"
    return (
        patch_fix(
            case,
            node,
            container_patch(node, out[0].name, {"resources": resources}),
            id="fit-limit-range",
            summary=f"Set the {resource} {' and '.join(resources)} of container {out[0].name} to {bound}, as {said} permits",
            risk=Risk.LOW,
            provenance=[Provenance(path=path, value=resources, source=said, evidence_id=source.evidence_id)],
        ),
    )


def canonical(value: Decimal, resource: str) -> str:
    """A quantity as one writes it: millicores for CPU, whole MiB for bytes where that is no less exact than needed."""
    if resource == "cpu":
        return format_quantity((value * 1000).to_integral_value(rounding="ROUND_FLOOR") / 1000)
    mebibyte = Decimal(1 << 20)
    return format_quantity(value // mebibyte * mebibyte if value >= mebibyte else value // 1, "BinarySI")


def _limit_range(case: Case, resource: str, value: Decimal | None, side: str) -> Node | None:
    for limits in case.graph.of_kind("LimitRange", case.namespace):
        for entry in items(limits.spec.get("limits")):
            if value is not None and quantity(mapping(entry.get(side)).get(resource)) == value:
                return limits
    return None


def _out(found: ContainerAt, resource: str, value: Decimal, *, most: bool) -> bool:
    return any(
        _is_out(quantity(at(found.spec, "resources", field, resource)), value, most=most)
        for field in ("limits", "requests")
    )


def _is_out(asked: Decimal | None, value: Decimal, *, most: bool) -> bool:
    return asked is not None and (asked > value if most else asked < value)
