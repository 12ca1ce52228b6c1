"""Which questions to ask a running candidate, and what its answers mean. Pure.

Only what the workload itself declares is asked: the path of its readiness (or liveness) probe, else whether its port takes
a connection; through its Service where it has one. Nobody knows which other path should answer. A fix that takes a probe
away does not take the question away: then what the broken workload declares is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.refs import Json, JsonObject
from aegis.shadow.statistics import Sequential, Sprt, clopper_pearson_upper
from aegis.shadow.workloads import is_behind

_PROBES = ("readinessProbe", "livenessProbe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The answers to one check."""

    name: str
    requests: int
    failures: int
    errors: Mapping[str, int]

    @property
    def standing(self) -> Sequential:
        """What Wald's test says of them."""
        return Sprt().judge(self.failures, self.requests)

    @property
    def bound(self) -> float:
        """The error rate is at most this, with 95 % confidence."""
        return clopper_pearson_upper(self.failures, self.requests)

    def plus(self, other: Counted) -> Counted:
        """Both together."""
        errors = {word: self.errors.get(word, 0) + other.errors.get(word, 0) for word in {*self.errors, *other.errors}}
        return Counted(
            name=self.name,
            requests=self.requests + other.requests,
            failures=self.failures + other.failures,
            errors=errors,
        )


def counted(results: Mapping[str, Any]) -> list[Counted]:
    """What the script printed."""
    return [
        Counted(name=name, requests=int(one["requests"]), failures=int(one["failures"]), errors=one["errors"])
        for name, one in results.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One workload that is tried.

    Attributes:
        fixed: with the fix, as the server holds it.
        broken: as it is in production; None where there is nothing to compare with.
    """

    fixed: Json
    broken: Json | None = None

    def probe(self, port: int) -> Json | None:
        """What is asked of a port, by the fixed workload's own word or else by the broken one's."""
        return _probe(self.fixed, port) or (_probe(self.broken, port) if self.broken is not None else None)


def checks(candidates: Sequence[Candidate], services: Sequence[Json], pods: Iterable[Json]) -> list[JsonObject]:
    """The questions for these workloads: through their Services, else to one pod of each directly.

    Args:
        candidates: the workloads that are tried.
        services: of the arm.
        pods: of the candidates.
    """
    found: dict[str, JsonObject] = {}
    for one in candidates:
        through = [check for service in services if is_behind(service, one.fixed) for check in _of(service, one)]
        direct = [] if through else [check for pod in list(pods)[:1] for check in _direct(one, pod)]
        found |= {check["name"]: check for check in (*through, *direct)}
    return list(found.values())


def _of(service: Json, one: Candidate) -> Iterator[JsonObject]:
    name = str((service.get("metadata") or {}).get("name"))
    for port in (service.get("spec") or {}).get("ports") or []:
        target = _number(one.fixed, port.get("targetPort", port.get("port")))
        if port.get("protocol", "TCP") == "TCP" and target is not None:
            yield _check(f"Service {name}:{port['port']}", name, int(port["port"]), one.probe(target))


def _direct(one: Candidate, pod: Json) -> Iterator[JsonObject]:
    address = (pod.get("status") or {}).get("podIP")
    for at in containers(pod_spec_of(one.fixed) or {}):
        for port in at.spec.get("ports") or []:
            if address and port.get("protocol", "TCP") == "TCP" and at.group == "containers":
                number = int(port["containerPort"])
                yield _check(f"port {number}", str(address), number, one.probe(number))


def _check(name: str, host: str, port: int, probe: Json | None) -> JsonObject:
    check: JsonObject = {"name": name, "scheme": "tcp", "host": host, "port": port, "path": "", "headers": {}}
    if probe is None:
        return check
    headers = {str(item["name"]): str(item.get("value") or "") for item in probe.get("httpHeaders") or []}
    scheme = str(probe.get("scheme") or "HTTP").lower()
    return {**check, "scheme": scheme, "path": str(probe.get("path") or "/"), "headers": headers}


def _probe(workload: Json, port: int) -> Json | None:
    """The httpGet of a probe of this port."""
    for at in containers(pod_spec_of(workload) or {}):
        for name in _PROBES:
            asked: Json | None = (at.spec.get(name) or {}).get("httpGet")
            if asked and _number(workload, asked.get("port")) == port:
                return asked
    return None


def _number(workload: Json, port: Any) -> int | None:
    """A port's number; a name is looked up among the containers' ports."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for at in containers(pod_spec_of(workload) or {}):
        for declared in at.spec.get("ports") or []:
            if declared.get("name") == port:
                return int(declared["containerPort"])
    return None
