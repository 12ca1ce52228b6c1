"""What one arm of a trial shows, gathered from watch events: a state that only pods, workloads and endpoints change.

Crashes are counted from `restartCount`, from each distinct `lastState.terminated` and from pods that failed; never from
`waiting.reason`, which comes and goes with the back-off. Times are nominal seconds that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis.model.refs import Json
from aegis.model.signature import container_statuses, is_ready, last_termination, signature_of
from aegis.model.symptom import Manner, Signature
from aegis.shadow.judge import Tally

_EVENTS = 500
"""Events kept of an arm: a bound, far above what a trial's few pods make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """New ends of a container, to be explained by its log.

    Attributes:
        pod: the pod as it was seen.
        uid: its uid.
        container: which container ended.
        count: how often since it was last looked at.
        epoch: what it counts for; see `Arm.rebase`.
        at: when it was seen, in nominal seconds.
    """

    pod: Json
    uid: str
    container: str
    count: int
    epoch: int = 0
    at: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Run:
    """One container of one pod."""

    ended: set[str] = field(default_factory=set)
    crashes: int = 0


@dataclass(slots=True, kw_only=True)
class _Pod:
    """One pod, from its first event to its last."""

    pod: Json
    runs: dict[str, _Run] = field(default_factory=dict)
    ready: bool = False
    was_ready: bool = False
    transitions: int = 0
    failed: bool = False
    leaving: bool = False
    signature: Signature | None = None
    epoch: int = 0


class Arm:
    """One arm: the pods that are tried, and how they fare.

    Args:
        name: `r` or `c`.
        trials: how many pods are tried.
        is_subject: whether a pod is one of those that are tried (else it is a dependency's, or a probe).
        production: the signature to recognise; None where there is none.
        blames: whether a failure may be blamed on the workload rather than on the cluster.
        controlled: whether a controller says when the rollout is complete (for bare Pods nobody does).
    """

    def __init__(
        self,
        name: str,
        *,
        trials: int,
        is_subject: Callable[[Json], bool],
        production: Signature | None = None,
        blames: Callable[[Signature], bool] = lambda _: True,
        controlled: bool = True,
    ) -> None:
        self.name = name
        self.trials = trials
        self.signatures: dict[Signature, int] = {}
        self._is_subject = is_subject
        self._production = production
        self._blames = blames
        self._pods: dict[str, _Pod] = {}
        self._events: dict[str, Json] = {}
        self._endpoints: dict[str, frozenset[str]] = {}
        self._crashes = 0
        self._matching: list[float] = []
        self._transitions = 0
        self._replaced = 0
        self._epoch = 0
        self._rolled_out = not controlled
        self._available_at: float | None = None
        self._stable_since: float | None = None

    # what is seen

    def see_pod(self, kind: str, pod: Json, now: float) -> list[Crash]:
        """Take in one watch event of a pod; the crashes that it shows and that nobody has seen yet."""
        if not self._is_subject(pod):
            return []
        uid = str((pod.get("metadata") or {}).get("uid") or "")
        known = self._pods.setdefault(uid, _Pod(pod=pod, epoch=self._epoch))
        known.pod = pod
        crashes = [] if known.leaving else self._count(uid, known, now)
        known.leaving = known.leaving or bool((pod.get("metadata") or {}).get("deletionTimestamp"))
        self._see_readiness(known)
        if kind == "DELETED":
            self._forget(uid, known)
        self._settle(now)
        return crashes

    def see_event(self, event: Json) -> None:
        """Take in an Event: the words for a failing probe, a failing mount or a failing schedule."""
        metadata = event.get("metadata") or {}
        name = str(metadata.get("uid") or metadata.get("name") or len(self._events))
        self._events.pop(name, None)
        self._events[name] = event
        if len(self._events) > _EVENTS:
            del self._events[next(iter(self._events))]

    def see_endpoints(self, kind: str, endpoint_slice: Json, now: float) -> None:
        """Take in an EndpointSlice (of the Service that is tried)."""
        name = str((endpoint_slice.get("metadata") or {}).get("name") or "")
        self._endpoints[name] = frozenset() if kind == "DELETED" else frozenset(_ready_targets(endpoint_slice))
        self._settle(now)

    def see_rollout(self, *, complete: bool, now: float) -> None:
        """Take in whether the workload's controller says that it is rolled out and available."""
        self._rolled_out = complete
        self._settle(now)

    def explain(self, crash: Crash, signature: Signature | None) -> None:
        """Say how the crashes looked once their log was read."""
        if crash.epoch != self._epoch:
            return
        self._crashes += crash.count
        if signature is None:
            return
        self.signatures[signature] = self.signatures.get(signature, 0) + crash.count
        if crash.uid in self._pods:
            self._pods[crash.uid].signature = signature
        if self._production is not None and self._production.matches(signature):
            self._matching += [crash.at] * crash.count

    def rebase(self) -> None:
        """Start counting anew: pods that were there before the fix have failed for what they were then."""
        self._epoch += 1
        self._crashes = self._transitions = self._replaced = 0
        self._matching = []
        self._available_at = self._stable_since = None
        for known in self._pods.values():
            known.transitions, known.was_ready = 0, known.ready

    @property
    def events(self) -> tuple[Json, ...]:
        """The events kept."""
        return tuple(self._events.values())

    @property
    def pods(self) -> tuple[Json, ...]:
        """The tried pods that are there now."""
        return tuple(known.pod for known in self._pods.values())

    @property
    def is_available(self) -> bool:
        """Whether all trials have been available at once."""
        return self._available_at is not None

    # what it amounts to

    def tally(self, now: float) -> Tally:
        """The counts that the judge sees."""
        current = [known for known in self._pods.values() if not known.leaving]
        shown = [self._shown(known) for known in current]
        return Tally(
            trials=self.trials,
            crashes=self._crashes,
            matching=len(self._matching),
            matched_at=tuple(sorted(self._matching)),
            symptomatic=sum(1 for s in shown if s is not None and self._matches(s)) + self._never_made(len(current)),
            ready=sum(1 for known in current if known.ready),
            transitions=max((known.transitions for known in self._pods.values()), default=self._transitions),
            replaced=self._replaced,
            available_at=self._available_at,
            stable_for=0.0 if self._stable_since is None else max(0.0, now - self._stable_since),
            infrastructure=tuple(
                sorted({_in_words(s) for s in shown if s is not None and not self._matches(s) and not self._blames(s)})
            ),
        )

    def note_current(self) -> None:
        """Remember how the pods fail now, for the record of a trial whose symptom is no crash."""
        for known in self._pods.values():
            signature = self._shown(known)
            if signature is not None and signature.manner is not Manner.CRASH:
                self.signatures.setdefault(signature, 1)

    # how it is counted

    def _count(self, uid: str, known: _Pod, now: float) -> list[Crash]:
        crashes = []
        for status in container_statuses(known.pod):
            name = str(status.get("name"))
            run = known.runs.setdefault(name, _Run())
            run.ended |= {_identity(ended) for ended in _ends(known.pod, status)}
            total = max(len(run.ended), _restarts(status))
            if total > run.crashes:
                count = total - run.crashes
                crashes.append(Crash(pod=known.pod, uid=uid, container=name, count=count, epoch=self._epoch, at=now))
                run.crashes = total
                self._stable_since = None
        if _phase(known.pod) == "Failed" and not known.failed:
            known.failed = True
            if not crashes and not any(run.crashes for run in known.runs.values()):
                crashes.append(Crash(pod=known.pod, uid=uid, container="", count=1, epoch=self._epoch, at=now))
        return crashes

    def _see_readiness(self, known: _Pod) -> None:
        ready = is_ready(known.pod) or _phase(known.pod) == "Succeeded"
        ready = ready and not known.leaving
        if known.was_ready and ready != known.ready and not known.leaving:
            known.transitions += 1
            self._transitions = max(self._transitions, known.transitions)
        known.ready = ready
        known.was_ready = known.was_ready or ready

    def _forget(self, uid: str, known: _Pod) -> None:
        del self._pods[uid]
        if known.was_ready and not known.failed and not self._is_rolled_away(known):
            self._replaced += 1

    def _is_rolled_away(self, known: _Pod) -> bool:
        """Whether a pod goes because of the fix: it was there before, or another one has another template."""
        mine = _template(known.pod)
        return known.epoch != self._epoch or any(_template(other.pod) != mine for other in self._pods.values())

    def _settle(self, now: float) -> None:
        """Availability, and since when all is good without a break."""
        current = [known for known in self._pods.values() if not known.leaving]
        good = (
            self._rolled_out
            and sum(1 for known in current if known.ready) >= self.trials
            and not any(self._missing_endpoint(known) for known in current)
        )
        if not good:
            self._stable_since = None
            return
        if self._stable_since is None:
            self._stable_since = now
        if self._available_at is None:
            self._available_at = now

    def _shown(self, known: _Pod) -> Signature | None:
        if self._missing_endpoint(known):
            return Signature(manner=Manner.NO_ENDPOINTS)
        return signature_of(known.pod, events=self._events.values())

    def _missing_endpoint(self, known: _Pod) -> bool:
        if self._production is None or self._production.manner is not Manner.NO_ENDPOINTS:
            return False
        name = str((known.pod.get("metadata") or {}).get("name") or "")
        return not any(name in names for names in self._endpoints.values())

    def _never_made(self, current: int) -> int:
        """Pods that are not there, where that is the symptom: kept out by admission, or never asked for."""
        absent = self._production is not None and self._production.manner in {Manner.ADMISSION, Manner.NO_ENDPOINTS}
        return max(0, self.trials - current) if absent else 0

    def _matches(self, signature: Signature) -> bool:
        if self._production is None:
            return False
        if self._production.manner is Manner.NO_ENDPOINTS:
            return signature.manner is Manner.NO_ENDPOINTS
        return self._production.matches(signature)


def _ends(pod: Json, status: Json) -> Iterable[Mapping[str, Any]]:
    for state in ("state", "lastState"):
        ended = (status.get(state) or {}).get("terminated")
        if ended and last_termination(pod, {"name": status.get("name"), "lastState": {"terminated": ended}}):
            yield ended


def _restarts(status: Json) -> int:
    return int(status.get("restartCount") or 0)


def _identity(ended: Mapping[str, Any]) -> str:
    """What tells one end of a container from the next: the run's id, else its times."""
    return str(ended.get("containerID") or f"{ended.get('startedAt')} {ended.get('finishedAt')}")


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _ready_targets(endpoint_slice: Json) -> Iterable[str]:
    for endpoint in endpoint_slice.get("endpoints") or []:
        target = endpoint.get("targetRef") or {}
        if (endpoint.get("conditions") or {}).get("ready") is not False and target.get("kind") == "Pod":
            yield str(target.get("name"))


def _in_words(signature: Signature) -> str:
    return f"{signature.reason}: {signature.line}" if signature.line else signature.reason


def _template(pod: Json) -> str:
    """By which hash its controller knows the template that it was made of; empty where there is none."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return str(labels.get("pod-template-hash") or labels.get("controller-revision-hash") or "")
