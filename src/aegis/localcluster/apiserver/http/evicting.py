"""The subresource `eviction` of pods: a deletion that a PodDisruptionBudget may refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aegis.localcluster import disruption
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call, Reply, delete_options, success
from aegis.localcluster.apiserver.objects import Object, copied, timestamp
from aegis.localcluster.apiserver.refusals import BadRequest, NotFound, TooManyRequests
from aegis.localcluster.apiserver.registry import Place
from aegis.localcluster.apiserver.store import Stored
from aegis.localcluster.apiserver.writing import WriteOptions
from aegis.localcluster.status import ApiError, Cause

_BUDGETS = "poddisruptionbudgets.policy"
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_RETRY_SECONDS = 10
_INTERNAL = WriteOptions(manager="kube-apiserver", trusted=True, field_validation="Ignore", subresource="status")


def evict(core: Core, call: Call) -> Reply:
    """POST to `pods/NAME/eviction`.

    Raises:
        BadRequest: the body names another pod.
        NotFound: there is no such pod.
        TooManyRequests: the pod's budget holds it.
        ApiError: 500 where several budgets select the pod.
    """
    body: Mapping[str, Any] = call.body if isinstance(call.body, dict) else {}
    name = (body.get("metadata") or {}).get("name")
    if name not in {None, "", call.name}:
        raise BadRequest(f"name in URL does not match name in Eviction object: {call.name!r} {name!r}")
    options = delete_options(body.get("deleteOptions") or {}, call)
    pod = core.store.get("pods", call.place.key)
    if pod is None:
        raise NotFound(call.resource, call.place.name)
    core.deleter.delete(call.place, replace(options, dry_run=True))  # a precondition that fails takes nothing
    if not disruption.is_free(pod):
        _ask_budget(core, pod, dry_run=options.dry_run)
    if not options.dry_run:
        _mark(core, call.place, pod)
        if options.resource_version is not None:  # it held, and the mark has just changed it
            options = replace(options, resource_version=None, uid=pod["metadata"]["uid"])
    core.deleter.delete(call.place, options)
    return success(code=201)


def _ask_budget(core: Core, pod: Stored, *, dry_run: bool) -> None:
    """Take a pod from its budget, if it is under one.

    Raises:
        TooManyRequests: the budget holds it.
        ApiError: there are several.
    """
    budgets = [b for b in core.store.objects(_BUDGETS, pod["metadata"]["namespace"]) if disruption.selects(b, pod)]
    if not budgets:
        return
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "InternalError", message)
    (budget,) = budgets
    match disruption.verdict(budget, pod):
        case "delete":
            return
        case "take":
            if not dry_run:
                _take(core, budget, pod["metadata"]["name"])
        case "not yet":
            name = budget["metadata"]["name"]
            cause = f"The disruption budget {name} is still being processed by the server."
            raise TooManyRequests(_REFUSED, retry_after=_RETRY_SECONDS, causes=[_cause(cause)])
        case "refuse":
            raise TooManyRequests(_REFUSED, causes=[_cause(_why(budget))])


def _take(core: Core, budget: Stored, pod: str) -> None:
    status = disruption.taken(budget["status"], pod, timestamp())
    place = Place(core.registry.named(_BUDGETS), budget["metadata"]["namespace"], budget["metadata"]["name"])
    core.writer.update(place, {**budget, "status": status}, _INTERNAL)


def _why(budget: Stored) -> str:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    failed = next((c for c in status.get("conditions") or () if c.get("reason") == "SyncFailed"), None)
    if failed is not None:
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {failed['message']}"
    desired, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"


def _cause(message: str) -> Cause:
    return Cause(reason="DisruptionBudget", message=message, field="")


def _mark(core: Core, place: Place, pod: Stored) -> None:
    """Say on the pod why it goes."""
    new: Object = copied(pod)
    status = new.setdefault("status", {})
    kept = [c for c in status.get("conditions") or () if c.get("type") != "DisruptionTarget"]
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status["conditions"] = [*kept, target]
    core.writer.update(place, new, _INTERNAL)
