"""The horizontal pod autoscaler: brings a target to the size at which its pods use what they should."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aegis.kube.selector import parse_selector
from aegis.localcluster.api import ClusterApi, MetricsSource, Object, Pace, WatchEvent
from aegis.localcluster.controllers.autoscaling.behavior import (
    DOWN_SECONDS,
    History,
    Mark,
    Range,
    limited,
    longest_period,
    stabilized,
    tolerance,
    window,
)
from aegis.localcluster.controllers.autoscaling.measures import Measured, Target, UnmeasuredError, measure
from aegis.localcluster.controllers.autoscaling.proposal import Clock
from aegis.localcluster.controllers.objects import Key, key_of, labels_of, timestamp, uid_of
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError

_AUTOSCALERS, _MANAGER = "horizontalpodautoscalers.autoscaling", "kube-controller-manager"
_PERIOD = 15.0
"""Nominal seconds between two looks."""
_SLACK = 0.5
_UP_STABLE = "recent recommendations were lower than current one, applying the lowest recent recommendation"
_DOWN_STABLE = "recent recommendations were higher than current one, applying the highest recent recommendation"


@dataclass(slots=True, kw_only=True)
class _Memory:
    """What the autoscaler remembers of one object; times are nominal seconds."""

    looked_at: float = float("-inf")
    spec: Any = None
    recommendations: list[Mark] = field(default_factory=list)
    ups: list[Mark] = field(default_factory=list)
    downs: list[Mark] = field(default_factory=list)

    def history(self, now: float) -> History:
        """As the decisions see it."""
        return History(now=now, recommendations=self.recommendations, ups=self.ups, downs=self.downs)

    def forget(self, before: float, changed_before: float) -> None:
        """Drop what no decision asks for any more."""
        self.recommendations = [m for m in self.recommendations if m.at > before]
        self.ups = [m for m in self.ups if m.at > changed_before]
        self.downs = [m for m in self.downs if m.at > changed_before]


@dataclass(slots=True, kw_only=True)
class _Look:
    """One look at one autoscaler: what is found goes into its new status."""

    autoscaler: Object
    now: float
    memory: _Memory
    status: Object

    @property
    def spec(self) -> Mapping[str, Any]:
        """The autoscaler's."""
        spec: Mapping[str, Any] = self.autoscaler["spec"]
        return spec

    def condition(self, kind: str, *, value: bool, reason: str, message: str) -> None:
        """Set a condition, which turns only with its value."""
        conditions: list[Object] = self.status.setdefault("conditions", [])
        known = next((c for c in conditions if c["type"] == kind), None)
        turned = known["lastTransitionTime"] if known and known["status"] == str(value) else timestamp()
        made = {"type": kind, "status": str(value), "lastTransitionTime": turned, "reason": reason, "message": message}
        if known is None:
            conditions.append(made)
        else:
            conditions[conditions.index(known)] = made


class AutoscalerController:
    """Acts on every HorizontalPodAutoscaler each 15 nominal seconds, and when its spec changes."""

    name = "horizontal-pod-autoscaler"
    watches = (_AUTOSCALERS,)

    def __init__(self, api: ClusterApi, pace: Pace, metrics: MetricsSource | None) -> None:
        self._api, self._pace, self._metrics = api, pace, metrics
        self._recorder = Recorder(api, self.name)
        self._memory: dict[str, _Memory] = {}

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The autoscaler."""
        if event.type == "DELETED":
            self._memory.pop(uid_of(event.object), None)
            return []
        return [key_of(event.object)]

    def sync(self, key: Key) -> float | None:
        """Look, scale, and write down what was found.

        Raises:
            ApiError: the status could not be written.
        """
        autoscaler = self._api.get(_AUTOSCALERS, *key)
        if autoscaler is None:
            return None
        memory = self._memory.setdefault(uid_of(autoscaler), _Memory())
        now = time.monotonic() * self._pace.scale
        left = memory.looked_at + _PERIOD - now
        if autoscaler["spec"] == memory.spec and left > _SLACK:
            return left
        memory.looked_at, memory.spec = now, autoscaler["spec"]
        old = autoscaler.get("status") or {}
        kept = {k: old[k] for k in ("lastScaleTime", "desiredReplicas") if k in old}
        conditions = [dict(c) for c in old.get("conditions") or ()]
        look = _Look(autoscaler=autoscaler, now=now, memory=memory, status={**kept, "conditions": conditions})
        try:
            self._reconcile(look)
        finally:
            if look.status != old:
                self._api.update_status(_AUTOSCALERS, {**autoscaler, "status": look.status}, manager=_MANAGER)
        return _PERIOD

    def _reconcile(self, look: _Look) -> None:
        scale = self._scale(look)
        if scale is None:
            return
        current: int = scale["spec"]["replicas"]
        look.status["currentReplicas"] = current
        look.status.setdefault("desiredReplicas", 0)
        if not look.memory.recommendations:
            look.memory.recommendations = [Mark(look.now, current)]
        least, most = look.spec.get("minReplicas", 1), look.spec["maxReplicas"]
        if current == 0 and least != 0:
            why = "scaling is disabled since the replica count of the target is zero"
            look.condition("ScalingActive", value=False, reason="ScalingDisabled", message=why)
            look.status["desiredReplicas"] = 0
            return
        if current > most:
            wanted, why = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            wanted, why = least, "Current number of replicas below Spec.MinReplicas"
        else:
            found = self._by_metrics(look, scale)
            if found is None:
                return
            wanted, why = found
        look.status["desiredReplicas"] = current
        if wanted != current:
            self._rescale(look, current, wanted, why)

    def _scale(self, look: _Look) -> Object | None:
        reference, namespace = look.spec["scaleTargetRef"], look.autoscaler["metadata"]["namespace"]
        try:
            scale = self._api.scale(reference, namespace)
            trouble = f'{_plural(reference)} "{reference.get("name")}" not found'
        except ApiError as error:
            scale, trouble = None, error.message
        if scale is None:
            self._recorder.warning(look.autoscaler, "FailedGetScale", trouble)
            why = f"the HPA controller was unable to get the target's current scale: {trouble}"
            look.condition("AbleToScale", value=False, reason="FailedGetScale", message=why)
            return None
        why = "the HPA controller was able to get the target's current scale"
        look.condition("AbleToScale", value=True, reason="SucceededGetScale", message=why)
        return scale

    def _by_metrics(self, look: _Look, scale: Object) -> tuple[int, str] | None:
        """The size that the metrics ask for within what the behavior allows, and why; None where they say nothing."""
        best = self._measured(look, scale)
        if best is None:
            return None
        current: int = scale["spec"]["replicas"]
        why = f"{best.name} above target" if best.replicas > current else "All metrics below target"
        behavior = look.spec.get("behavior")
        history = look.memory.history(look.now)
        steady = stabilized(behavior, best.replicas, current, history)
        if steady == best.replicas:
            look.condition("AbleToScale", value=True, reason="ReadyForNewScale", message="recommended size matches current size")  # fmt: skip
        elif behavior is not None and best.replicas >= current:
            look.condition("AbleToScale", value=True, reason="ScaleUpStabilized", message=_UP_STABLE)
        else:
            look.condition("AbleToScale", value=True, reason="ScaleDownStabilized", message=_DOWN_STABLE)
        longest = max(DOWN_SECONDS, window(behavior, "scaleUp"), window(behavior, "scaleDown"))
        look.memory.forget(look.now - longest, look.now - longest_period(behavior))
        look.memory.recommendations.append(Mark(look.now, best.replicas))
        size = Range(current=current, least=look.spec.get("minReplicas", 1), most=look.spec["maxReplicas"])
        held = limited(behavior, steady, size, history)
        within = held.reason == "DesiredWithinRange"
        look.condition("ScalingLimited", value=not within, reason=held.reason, message=held.message)
        return held.replicas, why

    def _measured(self, look: _Look, scale: Object) -> Measured | None:
        """The metric that asks for most; None where they say nothing, or too little to scale down."""
        selector = scale["status"].get("selector")
        if not selector:
            why = "the HPA target's scale is missing a selector"
            self._recorder.warning(look.autoscaler, "SelectorRequired", "selector is required")
            look.condition("ScalingActive", value=False, reason="InvalidSelector", message=why)
            return None
        chosen = parse_selector(selector)
        pods = [
            p for p in self._api.list("pods", look.autoscaler["metadata"]["namespace"]) if chosen.matches(labels_of(p))
        ]
        target = Target(current=scale["spec"]["replicas"], pods=pods, tolerance=tolerance(look.spec.get("behavior")))
        clock = Clock(now=datetime.now(UTC), scale=self._pace.scale)
        found, failures = [], []
        for metric in look.spec.get("metrics") or ():
            try:
                found.append(measure(metric, target, self._metrics, clock))
            except UnmeasuredError as error:
                failures.append(error)
                self._recorder.warning(look.autoscaler, error.reason, error.why)
        look.status["currentMetrics"] = [m.status for m in found]
        best = max(found, key=lambda m: m.replicas, default=None)
        if failures and (best is None or best.replicas < target.current):
            self._say_invalid(look, failures, len(found) + len(failures))
            return None
        if best is not None:
            why = f"the HPA was able to successfully calculate a replica count from {best.name}"
            look.condition("ScalingActive", value=True, reason="ValidMetricFound", message=why)
        return best

    def _say_invalid(self, look: _Look, failures: list[UnmeasuredError], metrics: int) -> None:
        first = failures[0]
        why = f"the HPA was unable to compute the replica count: {first.why}"
        look.condition("ScalingActive", value=False, reason=first.reason, message=why)
        words = f"failed to get {first.what} resource metric value: {first.why}"
        message = f"invalid metrics ({len(failures)} invalid out of {metrics}), first error is: {words}"
        self._recorder.warning(look.autoscaler, "FailedComputeMetricsReplicas", message)

    def _rescale(self, look: _Look, current: int, wanted: int, why: str) -> None:
        namespace = look.autoscaler["metadata"]["namespace"]
        try:
            self._api.rescale(look.spec["scaleTargetRef"], namespace, wanted, manager=_MANAGER)
        except ApiError as error:
            words = f"New size: {wanted}; reason: {why}; error: {error.message}"
            self._recorder.warning(look.autoscaler, "FailedRescale", words)
            failed = f"the HPA controller was unable to update the target scale: {error.message}"
            look.condition("AbleToScale", value=False, reason="FailedUpdateScale", message=failed)
            return
        done = f"the HPA controller was able to update the target scale to {wanted}"
        look.condition("AbleToScale", value=True, reason="SucceededRescale", message=done)
        self._recorder.normal(look.autoscaler, "SuccessfulRescale", f"New size: {wanted}; reason: {why}")
        marks = look.memory.ups if wanted > current else look.memory.downs
        marks.append(Mark(look.now, abs(wanted - current)))
        look.status |= {"desiredReplicas": wanted, "lastScaleTime": timestamp()}


def _plural(reference: Mapping[str, Any]) -> str:
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    plural = f"{str(reference.get('kind')).lower()}s"
    return f"{plural}.{group}" if group else plural
