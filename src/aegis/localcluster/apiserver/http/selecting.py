"""Which objects a list or a watch is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.kube.selector import Selector, SelectorError, match_fields, parse_field_selector, parse_selector
from aegis.localcluster.apiserver.http.call import Call
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.apiserver.registry import Resource

_EVERYWHERE = frozenset({"metadata.name", "metadata.namespace"})
_EVENT_OBJECT = {
    f"involvedObject.{f}" for f in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
}
_BY_KIND: Mapping[str, frozenset[str]] = {
    "Pod": frozenset({
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    }),
    "Event": frozenset({
        *_EVENT_OBJECT, "reason", "type", "source", "reportingComponent", "regarding.kind", "regarding.namespace",
        "regarding.name", "regarding.uid", "reportingController",
    }),
    "Secret": frozenset({"type"}),
    "Node": frozenset({"spec.unschedulable"}),
    "Namespace": frozenset({"status.phase"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "ReplicationController": frozenset({"status.replicas"}),
    "Job": frozenset({"status.successful"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a namespace (None: of all) that meet a label and a field selector."""

    namespace: str | None
    labels: Selector
    fields: Selector

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether an object is selected."""
        metadata = obj["metadata"]
        if self.namespace is not None and metadata.get("namespace") != self.namespace:
            return False
        if self.labels and not self.labels.matches(metadata.get("labels")):
            return False
        return not self.fields or match_fields(self.fields, obj)


def selection(call: Call) -> Selection:
    """What a call's query (and the name in its path) selects.

    Raises:
        BadRequest: a selector does not parse, or names a field that cannot be selected by.
    """
    fields = call.query.get("fieldSelector", "")
    if call.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={call.name}")))
    try:
        labels, parsed = parse_selector(call.query.get("labelSelector")), parse_field_selector(fields)
    except SelectorError as error:
        raise BadRequest(f"unable to parse selector: {error}") from None
    allowed = _EVERYWHERE | _selectable(call.resource)
    for requirement in parsed.requirements:
        if requirement.key not in allowed:
            raise BadRequest(
                f"field label not supported: {requirement.key}"
                if not call.resource.custom
                else f"field label not supported: {requirement.key} for {call.resource.full_name}"
            )
    return Selection(call.namespace, labels, parsed)


def _selectable(resource: Resource) -> frozenset[str]:
    if resource.custom:
        return resource.custom.selectable
    return _BY_KIND.get(resource.kind, frozenset())
