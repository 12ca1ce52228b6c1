"""Workloads: their selectors, templates and strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.kube.selector import SelectorError, label_selector
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required, unsupported
from aegis.localcluster.apiserver.validation import pods, values
from aegis.localcluster.apiserver.validation.schedules import schedule_fault
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_MISMATCH = "`selector` does not match template `labels`"
_JOB_NAME_MAX = 52


def deployment(obj: Object) -> list[Cause]:
    """A Deployment."""
    spec = obj.get("spec") or {}
    faults = _selected(spec) + _always(spec) + _counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    strategy = spec.get("strategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    faults += values.one_of(kind, "spec.strategy.type", ("Recreate", "RollingUpdate"))
    if kind == "Recreate" and rolling:
        detail = "may not be specified when strategy `type` is 'Recreate'"
        faults.append(forbidden_field("spec.strategy.rollingUpdate", detail))
    elif kind == "RollingUpdate":
        faults += _rolling(rolling or {}, "spec.strategy.rollingUpdate")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    faults += values.not_negative(deadline, "spec.progressDeadlineSeconds")
    if isinstance(deadline, int) and deadline <= ready:
        faults.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return faults


def replica_set(obj: Object) -> list[Cause]:
    """A ReplicaSet."""
    spec = obj.get("spec") or {}
    return _selected(spec) + _always(spec) + _counts(spec, "replicas", "minReadySeconds")


def stateful_set(obj: Object) -> list[Cause]:
    """A StatefulSet."""
    spec = _with_claimed_volumes(obj.get("spec") or {})
    faults = _selected(spec) + _always(spec) + _counts(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    faults += values.one_of(spec.get("podManagementPolicy"), "spec.podManagementPolicy", ("OrderedReady", "Parallel"))
    kind = (spec.get("updateStrategy") or {}).get("type")
    return faults + values.one_of(kind, "spec.updateStrategy.type", ("OnDelete", "RollingUpdate"))


def daemon_set(obj: Object) -> list[Cause]:
    """A DaemonSet."""
    spec = obj.get("spec") or {}
    faults = _selected(spec) + _always(spec) + _counts(spec, "minReadySeconds", "revisionHistoryLimit")
    kind = (spec.get("updateStrategy") or {}).get("type")
    return faults + values.one_of(kind, "spec.updateStrategy.type", ("OnDelete", "RollingUpdate"))


def job(obj: Object) -> list[Cause]:
    """A Job."""
    return _job_spec(obj.get("spec") or {}, "spec")


def cron_job(obj: Object) -> list[Cause]:
    """A CronJob."""
    spec = obj.get("spec") or {}
    faults: list[Cause] = []
    name = obj["metadata"].get("name") or ""
    if len(name) > _JOB_NAME_MAX:
        faults.append(invalid_value("metadata.name", name, f"must be no more than {_JOB_NAME_MAX} characters"))
    faults += values.present(spec.get("schedule"), "spec.schedule")
    if spec.get("schedule") and (fault := schedule_fault(spec["schedule"])):
        faults.append(invalid_value("spec.schedule", spec["schedule"], fault))
    faults += values.one_of(spec.get("concurrencyPolicy"), "spec.concurrencyPolicy", ("Allow", "Forbid", "Replace"))
    faults += _counts(spec, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    return faults + _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _job_spec(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        faults += values.not_negative(spec.get(name), f"{field}.{name}")
    faults += pods.template(spec.get("template"), f"{field}.template")
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy not in {"OnFailure", "Never"}:
        faults.append(unsupported(f"{field}.template.spec.restartPolicy", policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        why = 'only "Never" is supported when podFailurePolicy is specified'
        faults.append(invalid_value(f"{field}.template.spec.restartPolicy", policy, why))
    per_index = spec.get("backoffLimitPerIndex") is not None
    return faults + _failure_policy(
        spec.get("podFailurePolicy") or {}, f"{field}.podFailurePolicy", per_index=per_index
    )


def _failure_policy(policy: Object, field: str, *, per_index: bool) -> list[Cause]:
    faults: list[Cause] = []
    for index, rule in enumerate(policy.get("rules") or ()):
        here = f"{field}.rules[{index}]"
        faults += values.present(rule.get("action"), f"{here}.action")
        faults += values.one_of(rule.get("action"), f"{here}.action", ("Count", "FailIndex", "FailJob", "Ignore"))
        if rule.get("action") == "FailIndex" and not per_index:
            why = "requires the backoffLimitPerIndex to be set"
            faults.append(invalid_value(f"{here}.action", "FailIndex", why))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if bool(codes) is bool(conditions):
            why = "specifying one of OnExitCodes and OnPodConditions is required"
            faults.append(invalid_value(here, "", why))
        if codes:
            faults += values.one_of(codes.get("operator"), f"{here}.onExitCodes.operator", ("In", "NotIn"))
            if codes.get("operator") == "In" and 0 in (codes.get("values") or ()):
                faults.append(invalid_value(f"{here}.onExitCodes.values", 0, "must not be 0 for the In operator"))
    return faults


def _selected(spec: Object) -> list[Cause]:
    selector, template = spec.get("selector"), spec.get("template")
    faults: list[Cause] = []
    if not selector:
        faults.append(required("spec.selector"))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        faults.append(invalid_value("spec.selector", {}, "empty selector is invalid for deployment"))
    faults += values.selector(selector, "spec.selector")
    labels = ((template or {}).get("metadata") or {}).get("labels") or {}
    if selector and not faults and not _matches(selector, labels):
        faults.append(invalid_value("spec.template.metadata.labels", _go_map(labels), _MISMATCH))
    return faults + pods.template(template, "spec.template")


def _with_claimed_volumes(spec: Object) -> Object:
    """The spec with the volumes that each pod will get of the claim templates: containers may mount them."""
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    known = {v.get("name") for v in pod.get("volumes") or ()}
    claims = [(c.get("metadata") or {}).get("name") for c in spec.get("volumeClaimTemplates") or ()]
    claimed = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in claims if n and n not in known]
    if not claimed:
        return spec
    return {**spec, "template": {**template, "spec": {**pod, "volumes": [*(pod.get("volumes") or ()), *claimed]}}}


def _matches(selector: Object, labels: Object) -> bool:
    try:
        return label_selector(selector).matches(labels)
    except SelectorError:
        return False


def _go_map(labels: Object) -> str:
    return "map[string]string{" + ", ".join(f'"{k}":"{v}"' for k, v in sorted(labels.items())) + "}"


def _always(spec: Object) -> list[Cause]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy in {None, "Always"}:
        return []
    return [unsupported("spec.template.spec.restartPolicy", policy, ("Always",))]


def _counts(spec: Object, *names: str) -> list[Cause]:
    return [fault for name in names for fault in values.not_negative(spec.get(name), f"spec.{name}")]


def _rolling(rolling: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    for name in ("maxUnavailable", "maxSurge"):
        faults += values.amount_or_percent(rolling.get(name), f"{field}.{name}")
    zero = {0, "0%"}
    if rolling.get("maxUnavailable") in zero and rolling.get("maxSurge") in zero:
        detail = "may not be 0 when `maxSurge` is 0"
        faults.append(invalid_value(f"{field}.maxUnavailable", rolling["maxUnavailable"], detail))
    if str(rolling.get("maxUnavailable", "")).endswith("%") and not faults:
        percent = int(str(rolling["maxUnavailable"])[:-1])
        if percent > 100:  # noqa: PLR2004 - percent
            faults.append(
                invalid_value(f"{field}.maxUnavailable", rolling["maxUnavailable"], "must not be greater than 100%")
            )
    return faults
