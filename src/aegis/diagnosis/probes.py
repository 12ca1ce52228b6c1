"""Probes: where they ask, and how to mend one that asks wrongly. A probe is corrected, never removed."""

from __future__ import annotations

from aegis.diagnosis.case import Case
from aegis.diagnosis.mend import can_change_template, from_object, json_fix, template_field
from aegis.diagnosis.reading import items, mapping
from aegis.diagnosis.restore import restore_container
from aegis.diagnosis.workload import template_container
from aegis.kube.pod_template import containers, pod_spec_of, template_path
from aegis.model.changes import Fix, Risk
from aegis.model.refs import Json


def handler_of(probe: Json) -> tuple[str, Json]:
    """(`httpGet`, `tcpSocket`, `grpc` or `exec`, what it asks); empty where there is no probe."""
    for kind in ("httpGet", "tcpSocket", "grpc", "exec"):
        if kind in probe:
            return kind, mapping(probe[kind])
    return "", {}


def shown(probe: Json) -> str:
    """A probe as a person reads it."""
    kind, asked = handler_of(probe)
    if kind == "httpGet":
        return f"HTTP GET {asked.get('path') or '/'} on port {asked.get('port')}"
    if kind == "exec":
        return f"command {' '.join(map(str, asked.get('command') or ()))}"
    return f"{kind} on port {asked.get('port')}" if kind else "none"


def port_of(probe: Json) -> int | str | None:
    """The port that a probe asks."""
    port = handler_of(probe)[1].get("port")
    return port if isinstance(port, int | str) else None


def declares(container: Json, port: int | str | None) -> bool:
    """Whether a container declares a port by this number or name."""
    return any(port in {entry.get("containerPort"), entry.get("name")} for entry in items(container.get("ports")))


def only_port(container: Json) -> int | None:
    """The one port that a container declares."""
    ports = {entry.get("containerPort") for entry in items(container.get("ports"))}
    port = next(iter(ports), None)
    return port if len(ports) == 1 and isinstance(port, int) else None


def probe_fixes(case: Case, container: str, field: str) -> tuple[Fix, ...]:
    """A wrong probe as the last good revision had it, else at the one port that the container declares."""
    what = f"the {field.removesuffix('Probe')} probe"
    return restore_container(case, container, (field,), what=what) or _at_declared_port(case, container, field)


def _at_declared_port(case: Case, container: str, field: str) -> tuple[Fix, ...]:
    node = case.subject
    spec = template_container(node, container)
    probe = mapping(spec.get(field))
    port, kind = only_port(spec), handler_of(probe)[0]
    found = next((c for c in containers(pod_spec_of(node.obj) or {}) if c.name == container), None)
    if port is None or found is None or not can_change_template(node) or declares(spec, port_of(probe)):
        return ()
    pointer = "/".join(("", *template_path(node.ref.kind), "spec", found.group, str(found.index), field, kind, "port"))
    path = template_field(node, f"{found.path}.{field}.{kind}.port")
    return (
        json_fix(
            case,
            node,
            [{"op": "replace", "path": pointer, "value": port}],
            id="set-probe-port",
            summary=f"Let the {field.removesuffix('Probe')} probe of container {container} ask port {port}",
            risk=Risk.LOW,
            provenance=[from_object(path, port, node, f"the only port that container {container} declares")],
        ),
    )
