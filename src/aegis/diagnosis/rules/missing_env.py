"""A program ends because an environment variable that it needs is not set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import LogNode, Node
from aegis.diagnosis.history import Revision, good_revisions
from aegis.diagnosis.lacking import Lacking, lacking
from aegis.diagnosis.mend import (
    can_change_template,
    container_patch,
    container_path,
    from_object,
    from_revision,
    human_fix,
    patch_fix,
    template_field,
)
from aegis.diagnosis.reading import at, items, mapping, text
from aegis.diagnosis.workload import ContainerView, template_container
from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Citation
from aegis.model.refs import JsonObject

_LAST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lack:
    """A line that says that a variable is not set; unless that is clear, only who knows the variable may believe it."""

    name: str
    clear: bool
    line: str
    log: LogNode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the variable's value can be taken from."""

    entry: JsonObject
    provenance: Provenance
    citation: Citation
    said: str


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The output names a variable, the spec lacks it, and a good revision or a sibling has it."""
    view = case.container(symptom)
    if view is None or symptom.reason in {"OOMKilled", "StartError"}:
        return
    lacks = [lack for lack in _lacks(case, symptom) if not _is_set(case, view, lack.name)]
    founded = [(lack, source) for lack in lacks if (source := _source(case, view, lack.name))]
    unfounded = [(lack, None) for lack in lacks if lack.clear]
    ordered = sorted(founded, key=lambda found: not found[0].clear) or unfounded
    if not ordered:
        return
    lack, source = ordered[0]
    where = container_path(case.subject, view.name)
    explanation = f"Container {view.name} ends because the environment variable {lack.name} is not set"
    explanation += f"; {source.said} has it." if source else f" (it says: {lack.line.strip()[:200]})."
    citations = [
        cite(symptom.subject, f"spec.{where}.env: {_names(view)}"),
        cite(lack.log, lack.line),
    ]
    if source:
        citations.append(source.citation)
    yield Hypothesis(
        cause="missing_env",
        root=case.subject.ref,
        certainty=confirmed_if(source is not None and lack.clear),
        explanation=explanation,
        because=f"its pod template does not set {lack.name} for container {view.name}",
        citations=tuple(citations),
        fixes=(_fix(case, view, lack, source),),
        weight=80,
        hearsay=source is None,
    )


def _lacks(case: Case, symptom: Symptom) -> Iterator[_Lack]:
    """What the output says is not set, the last said first."""
    seen: set[Lacking] = set()
    told = ((log, line) for log in case.logs(symptom) for line in reversed(log.lines[-_LAST_LINES:]))
    for log, line in told:
        for found in lacking(line):
            if found not in seen:
                seen.add(found)
                yield _Lack(name=found.name, clear=found.clear, line=line, log=log)


def _is_set(case: Case, view: ContainerView, name: str) -> bool:
    """Whether the container is given the variable, by name or by a whole ConfigMap or Secret."""
    if any(text(variable.get("name")) == name for variable in items(view.spec.get("env"))):
        return True
    for entry in items(view.spec.get("envFrom")):
        prefix = text(entry.get("prefix"))
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            source = case.graph.get(kind, case.namespace, text(at(entry, field, "name")))
            keys = {**mapping(source.obj.get("data")), **mapping(source.obj.get("binaryData"))} if source else {}
            if any(prefix + key == name for key in keys):
                return True
    return False


def _names(view: ContainerView) -> str:
    return ", ".join(text(variable.get("name")) for variable in items(view.spec.get("env"))) or "nothing is set"


def _source(case: Case, view: ContainerView, name: str) -> _Source | None:
    node = case.subject
    field = f"{container_path(node, view.name)}.env[{name}]"
    for revision in good_revisions(case.graph, node):
        if entry := _entry(revision.container(view.name), name):
            return _of_revision(node, field, entry, revision)
    for other in _siblings(case):
        for found in containers(pod_spec_of(other.obj) or {}):
            if (entry := _entry(found.spec, name)) and text(found.spec.get("image")) == view.image:
                return _of_object(template_field(node, field), entry, other, f"{found.path}.env[{name}]")
    for config in case.graph.of_kind("ConfigMap", case.namespace):
        if name in mapping(config.obj.get("data")) and _speaks_of(config, node):
            entry = {"name": name, "valueFrom": {"configMapKeyRef": {"name": config.ref.name, "key": name}}}
            where, value = template_field(node, field), text(mapping(config.obj.get("data")).get(name))
            return replace(
                _of_object(where, entry, config, f"data[{name}]"), citation=cite(config, f"data[{name}]: {value}")
            )
    return None


def _siblings(case: Case) -> tuple[Node, ...]:
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
    found = [node for kind in kinds for node in case.graph.of_kind(kind, case.namespace)]
    return tuple(node for node in found if node.key != case.subject.key)


def _speaks_of(config: Node, workload: Node) -> bool:
    """Whether a ConfigMap is this workload's: it shares its name or its app label."""
    shared = {label for label in ("app", "app.kubernetes.io/name") if label in config.labels}
    same_app = any(config.labels[label] == workload.labels.get(label) for label in shared)
    return same_app or config.ref.name.startswith(workload.ref.name)


def _entry(container: object, name: str) -> JsonObject | None:
    return next((entry for entry in items(mapping(container).get("env")) if entry.get("name") == name), None)


def _of_revision(node: Node, field: str, entry: JsonObject, revision: Revision) -> _Source:
    value = _value(entry)
    provenance = from_revision(node, field, value, revision)
    citation = cite(revision.node, f"spec.template.spec.{field}: {value}")
    return _Source(entry=entry, provenance=provenance, citation=citation, said=revision.source)


def _of_object(path: str, entry: JsonObject, source: Node, where: str) -> _Source:
    value = _value(entry)
    provenance = from_object(path, value, source, where)
    citation = cite(source, f"{where}: {value}")
    return _Source(entry=entry, provenance=provenance, citation=citation, said=f"{source.ref.kind} {source.ref.name}")


def _value(entry: JsonObject) -> str | JsonObject:
    """The variable's own value, or what it is taken from."""
    return {"valueFrom": entry["valueFrom"]} if "valueFrom" in entry else text(entry.get("value"))


def _fix(case: Case, view: ContainerView, lack: _Lack, source: _Source | None) -> Fix:
    node = case.subject
    if source is None or not can_change_template(node) or not template_container(node, view.name):
        return human_fix("set-env", f"Set {lack.name} for container {view.name}: AEGIS knows no value that was good")
    return patch_fix(
        case,
        node,
        container_patch(node, view.name, {"env": [source.entry]}),
        id="restore-env",
        summary=f"Set {lack.name} for container {view.name} as {source.said} has it",
        risk=Risk.LOW,
        provenance=[source.provenance],
    )


PLUGIN = rule("missing_env", examine, Trouble.CRASH)
