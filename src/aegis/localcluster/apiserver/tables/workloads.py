"""The columns of what runs pods: Deployments and their kin, Jobs, disruption budgets, autoscalers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aegis.kube.selector import SelectorError, label_selector
from aegis.localcluster.apiserver.objects import now
from aegis.localcluster.apiserver.tables.columns import (
    AGE,
    NAME,
    NONE,
    Column,
    condition,
    counted,
    duration,
    labels_text,
    since,
)
from aegis.localcluster.apiserver.tables.pods import containers, images

Json = Mapping[str, Any]


def selector(obj: Json) -> str:
    """An object's selector as text."""
    found = obj["spec"].get("selector")
    if not found:
        return NONE
    if "matchLabels" in found or "matchExpressions" in found:
        try:
            return str(label_selector(found)) or NONE
        except SelectorError:
            return "<error>"
    return labels_text(found)


def _template(obj: Json) -> Json:
    spec: Json = ((obj["spec"].get("template") or {}).get("spec")) or {}
    return spec


def _job_template(obj: Json) -> Json:
    return _template(obj["spec"].get("jobTemplate") or {"spec": {}})


CONTAINERS = Column("Containers", lambda o: containers(_template(o)), priority=1)
IMAGES = Column("Images", lambda o: images(_template(o)), priority=1)
SELECTOR = Column("Selector", selector, priority=1)


def _fraction(obj: Json) -> str:
    wanted = obj["spec"].get("replicas", 1)
    return f"{(obj.get('status') or {}).get('readyReplicas') or 0}/{wanted}"


DEPLOYMENTS = (
    NAME,
    Column("Ready", _fraction),
    Column("Up-to-date", counted("status", "updatedReplicas"), "integer"),
    Column("Available", counted("status", "availableReplicas"), "integer"),
    AGE, CONTAINERS, IMAGES, SELECTOR,
)  # fmt: skip
REPLICA_SETS = (
    NAME,
    Column("Desired", counted("spec", "replicas"), "integer"),
    Column("Current", counted("status", "replicas"), "integer"),
    Column("Ready", counted("status", "readyReplicas"), "integer"),
    AGE, CONTAINERS, IMAGES, SELECTOR,
)  # fmt: skip
STATEFUL_SETS = (NAME, Column("Ready", _fraction), AGE, CONTAINERS, IMAGES)
DAEMON_SETS = (
    NAME,
    Column("Desired", counted("status", "desiredNumberScheduled"), "integer"),
    Column("Current", counted("status", "currentNumberScheduled"), "integer"),
    Column("Ready", counted("status", "numberReady"), "integer"),
    Column("Up-to-date", counted("status", "updatedNumberScheduled"), "integer"),
    Column("Available", counted("status", "numberAvailable"), "integer"),
    Column("Node Selector", lambda o: labels_text(_template(o).get("nodeSelector"))),
    AGE, CONTAINERS, IMAGES, SELECTOR,
)  # fmt: skip


def _job_status(job: Json) -> str:
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if (condition(job, kind) or {}).get("status") == "True":
            return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    failing = (condition(job, "FailureTarget") or {}).get("status") == "True"
    return "FailureTarget" if failing else "Running"


def _completions(job: Json) -> str:
    spec, succeeded = job["spec"], (job.get("status") or {}).get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallel = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"


def _job_duration(job: Json) -> str:
    facts = job.get("status") or {}
    if not facts.get("startTime"):
        return ""
    ended = facts.get("completionTime")
    end = datetime.fromisoformat(ended) if ended else now()
    return duration((end - datetime.fromisoformat(facts["startTime"])).total_seconds())


JOBS = (
    NAME,
    Column("Status", _job_status),
    Column("Completions", _completions),
    Column("Duration", _job_duration),
    AGE, CONTAINERS, IMAGES, SELECTOR,
)  # fmt: skip


def _last_schedule(obj: Json) -> str:
    last = (obj.get("status") or {}).get("lastScheduleTime")
    return since(last) if last else NONE


CRON_JOBS = (
    NAME,
    Column("Schedule", lambda o: o["spec"]["schedule"]),
    Column("Timezone", lambda o: o["spec"].get("timeZone") or NONE),
    Column("Suspend", lambda o: str(bool(o["spec"].get("suspend")))),
    Column("Active", lambda o: len((o.get("status") or {}).get("active") or ()), "integer"),
    Column("Last Schedule", _last_schedule),
    AGE,
    Column("Containers", lambda o: containers(_job_template(o)), priority=1),
    Column("Images", lambda o: images(_job_template(o)), priority=1),
)
POD_TEMPLATES = (
    NAME,
    Column("Containers", lambda o: containers((o.get("template") or {}).get("spec") or {})),
    Column("Images", lambda o: images((o.get("template") or {}).get("spec") or {})),
    Column("Pod Labels", lambda o: labels_text(((o.get("template") or {}).get("metadata") or {}).get("labels"))),
)
DISRUPTION_BUDGETS = (
    NAME,
    Column("Min Available", lambda o: str(o["spec"].get("minAvailable", "N/A"))),
    Column("Max Unavailable", lambda o: str(o["spec"].get("maxUnavailable", "N/A"))),
    Column("Allowed Disruptions", counted("status", "disruptionsAllowed"), "integer"),
    AGE,
)


def _controller(obj: Json) -> str:
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    return f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"


REVISIONS = (
    NAME,
    Column("Controller", _controller),
    Column("Revision", lambda o: o.get("revision", 0), "integer"),
    AGE,
)


def _reference(obj: Json) -> str:
    target = obj["spec"].get("scaleTargetRef") or {}
    return f"{target.get('kind')}/{target.get('name')}"


_SHOWN_TARGETS = 2


def _targets(obj: Json) -> str:
    metrics, seen = obj["spec"].get("metrics") or (), (obj.get("status") or {}).get("currentMetrics") or ()
    used = {m["resource"]["name"]: m["resource"].get("current") or {} for m in seen if m.get("type") == "Resource"}
    shown = [_target(m, used) for m in metrics[:_SHOWN_TARGETS]]
    if len(metrics) > _SHOWN_TARGETS:
        return f"{', '.join(shown)} + {len(metrics) - _SHOWN_TARGETS} more..."
    return ", ".join(shown) or NONE


def _target(metric: Json, used: Mapping[str, Json]) -> str:
    if metric.get("type") != "Resource":
        return "<unknown>"
    name, target = metric["resource"].get("name"), metric["resource"].get("target") or {}
    now = used.get(name, {})
    if (wanted := target.get("averageUtilization")) is not None:
        return f"{name}: {now['averageUtilization']}%/{wanted}%" if now else f"{name}: <unknown>/{wanted}%"
    return f"{name}: {now.get('averageValue', '<unknown>')}/{target.get('averageValue', '<unknown>')}"


AUTOSCALERS = (
    NAME,
    Column("Reference", _reference),
    Column("Targets", _targets),
    Column("MinPods", lambda o: str(o["spec"].get("minReplicas", 1))),
    Column("MaxPods", counted("spec", "maxReplicas"), "integer"),
    Column("Replicas", counted("status", "currentReplicas"), "integer"),
    AGE,
)
