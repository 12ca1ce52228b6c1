"""The columns of everything else: nodes, namespaces, configuration, storage, roles, events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.tables.columns import AGE, NAME, NONE, Column, since

Json = Mapping[str, Any]

_ROLE = "node-role.kubernetes.io/"
_CREATED = Column("Created At", lambda o: o["metadata"].get("creationTimestamp"))
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _spec(name: str, default: Any = "") -> Any:
    return lambda o: (o.get("spec") or {}).get(name, default)


def _status(name: str, default: Any = "") -> Any:
    return lambda o: (o.get("status") or {}).get(name, default)


def _node_status(node: Json) -> str:
    conditions = {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or ()}
    word = {"True": "Ready", None: "Unknown"}.get(conditions.get("Ready"), "NotReady")
    return f"{word},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else word


def _roles(node: Json) -> str:
    labels = node["metadata"].get("labels") or {}
    roles = sorted(k.removeprefix(_ROLE) for k in labels if k.startswith(_ROLE))
    return ",".join(filter(None, roles)) or NONE


def _address(kind: str) -> Any:
    def cell(node: Json) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((a["address"] for a in addresses if a["type"] == kind), NONE)

    return cell


def _info(name: str) -> Any:
    return lambda o: ((o.get("status") or {}).get("nodeInfo") or {}).get(name, "<unknown>")


NODES = (
    NAME,
    Column("Status", _node_status),
    Column("Roles", _roles),
    AGE,
    Column("Version", _info("kubeletVersion")),
    Column("Internal-IP", _address("InternalIP"), priority=1),
    Column("External-IP", _address("ExternalIP"), priority=1),
    Column("OS-Image", _info("osImage"), priority=1),
    Column("Kernel-Version", _info("kernelVersion"), priority=1),
    Column("Container-Runtime", _info("containerRuntimeVersion"), priority=1),
)
NAMESPACES = (NAME, Column("Status", _status("phase")), AGE)
CONFIG_MAPS = (
    NAME,
    Column("Data", lambda o: len(o.get("data") or ()) + len(o.get("binaryData") or ()), "integer"),
    AGE,
)
SECRETS = (
    NAME,
    Column("Type", lambda o: o.get("type", "Opaque")),
    Column("Data", lambda o: len(o.get("data") or ()), "integer"),
    AGE,
)
SERVICE_ACCOUNTS = (NAME, Column("Secrets", lambda o: len(o.get("secrets") or ()), "integer"), AGE)


def _quota(prefixes: tuple[str, ...], *, others: bool) -> Any:
    def cell(quota: Json) -> str:
        facts = quota.get("status") or {}
        hard, used = facts.get("hard") or {}, facts.get("used") or {}
        names = [n for n in sorted(hard) if n.startswith(prefixes) is not others]
        return ", ".join(f"{n}: {used.get(n, '0')}/{hard[n]}" for n in names)

    return cell


QUOTAS = (
    NAME,
    Column("Request", _quota(("limits.",), others=True)),
    Column("Limit", _quota(("limits.",), others=False)),
    AGE,
)
LIMIT_RANGES = (NAME, _CREATED)


def _source(event: Json) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    return f"{component}, {source['host']}" if source.get("host") else component


def _last_seen(event: Json) -> str:
    series = event.get("series") or {}
    seen = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return since(seen or event["metadata"].get("creationTimestamp"))


def _first_seen(event: Json) -> str:
    return since(event.get("firstTimestamp") or event.get("eventTime"))


def _involved(event: Json) -> str:
    involved = event.get("involvedObject") or event.get("regarding") or {}
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name", "")
    return f"{kind}/{name}" if name else kind


EVENTS = (
    Column("Last Seen", _last_seen),
    Column("Type", lambda o: o.get("type", "")),
    Column("Reason", lambda o: o.get("reason", "")),
    Column("Object", _involved),
    Column("Subobject", lambda o: (o.get("involvedObject") or {}).get("fieldPath", ""), priority=1),
    Column("Source", _source, priority=1),
    Column("Message", lambda o: str(o.get("message") or o.get("note") or "").strip()),
    Column("First Seen", _first_seen, priority=1),
    Column("Count", lambda o: (o.get("series") or {}).get("count") or o.get("count") or 1, "integer", priority=1),
    Column("Name", lambda o: o["metadata"]["name"], priority=1, format="name"),
)


def _access(modes: Any) -> str:
    return ",".join(_MODES.get(m, m) for m in modes or ())


def _capacity(obj: Json, part: str) -> str:
    return str(((obj.get(part) or {}).get("capacity") or {}).get("storage", ""))


def _claim(volume: Json) -> str:
    claim = volume["spec"].get("claimRef")
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""


VOLUMES = (
    NAME,
    Column("Capacity", lambda o: _capacity(o, "spec")),
    Column("Access Modes", lambda o: _access(o["spec"].get("accessModes"))),
    Column("Reclaim Policy", _spec("persistentVolumeReclaimPolicy")),
    Column("Status", _status("phase")),
    Column("Claim", _claim),
    Column("StorageClass", _spec("storageClassName")),
    Column("VolumeAttributesClass", _spec("volumeAttributesClassName", "<unset>")),
    Column("Reason", _status("reason")),
    AGE,
    Column("VolumeMode", _spec("volumeMode", "<unset>"), priority=1),
)
CLAIMS = (
    NAME,
    Column("Status", lambda o: "Terminating" if o["metadata"].get("deletionTimestamp") else _status("phase")(o)),
    Column("Volume", _spec("volumeName")),
    Column("Capacity", lambda o: _capacity(o, "status")),
    Column("Access Modes", lambda o: _access((o.get("status") or {}).get("accessModes"))),
    Column("StorageClass", _spec("storageClassName")),
    Column("VolumeAttributesClass", _spec("volumeAttributesClassName", "<unset>")),
    AGE,
    Column("VolumeMode", _spec("volumeMode", "<unset>"), priority=1),
)


def _class_name(obj: Json) -> str:
    default = (obj["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    return f"{obj['metadata']['name']}{' (default)' if default else ''}"


STORAGE_CLASSES = (
    Column("Name", _class_name, format="name"),
    Column("Provisioner", lambda o: o.get("provisioner")),
    Column("ReclaimPolicy", lambda o: o.get("reclaimPolicy", "Delete")),
    Column("VolumeBindingMode", lambda o: o.get("volumeBindingMode", "Immediate")),
    Column("AllowVolumeExpansion", lambda o: bool(o.get("allowVolumeExpansion"))),
    AGE,
)
ROLES = (NAME, _CREATED)


def _subjects(kind: str) -> Any:
    def cell(binding: Json) -> str:
        chosen = [s for s in binding.get("subjects") or () if s.get("kind") == kind]
        names = (f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"] for s in chosen)
        return ", ".join(names)

    return cell


BINDINGS = (
    NAME,
    Column("Role", lambda o: f"{o['roleRef']['kind']}/{o['roleRef']['name']}"),
    AGE,
    Column("Users", _subjects("User"), priority=1),
    Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)
DEFINITIONS = (NAME, _CREATED)
LEASES = (NAME, Column("Holder", _spec("holderIdentity")), AGE)
PRIORITY_CLASSES = (
    NAME,
    Column("Value", lambda o: o.get("value", 0), "integer"),
    Column("Global-Default", lambda o: bool(o.get("globalDefault")), "boolean"),
    AGE,
    Column("PreemptionPolicy", lambda o: o.get("preemptionPolicy", "PreemptLowerPriority"), priority=1),
)
RUNTIME_CLASSES = (NAME, Column("Handler", lambda o: o.get("handler")), AGE)
WEBHOOKS = (NAME, Column("Webhooks", lambda o: len(o.get("webhooks") or ()), "integer"), AGE)
