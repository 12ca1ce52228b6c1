"""What a trial works with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import cast

from aegis.evidence.falco import FalcoPlace
from aegis.falco.priority import Priority
from aegis.model.refs import Json
from aegis.model.security import SecurityFinding, Severity
from aegis.ports import Actuator, Cluster, ClusterReader, ObjectEvent, Progress
from aegis.security.desk import Desk
from aegis.security.policy import SecurityPolicy
from aegis.security.sandbox import SandboxRules
from aegis.security.waivers import Waiver
from aegis.shadow.load import LoadRules

LastGood = Callable[[Json, Sequence[Json]], tuple[Json, str] | None]
"""The pod template of a workload's last good revision and which that is, out of its revisions and pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoRules:
    """How Falco's alerts count in a trial.

    Attributes:
        enabled: whether they do.
        place: where Falco is; what is empty there is looked for.
        threshold: the lowest priority that vetoes.
        drain_seconds: real seconds for which the canary's alert is waited for: a log pipeline knows no time scale.
    """

    enabled: bool = True
    place: FalcoPlace = field(default_factory=FalcoPlace)
    threshold: Priority = Priority.WARNING
    drain_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRules:
    """What scanners do in a trial, and what follows from what they say.

    Attributes:
        desk: what they work with.
        policy: what is required of them, and what refuses a fix.
        waivers: the findings that somebody answers for.
        off: those that are switched off, by name.
        trivy_severities: the severities of trivy's findings that count.
        podsecurity_baseline_only: whether the restricted Pod Security Standard is shown only.
    """

    desk: Desk = field(default_factory=Desk)
    policy: SecurityPolicy = field(default_factory=SecurityPolicy)
    waivers: tuple[Waiver, ...] = ()
    off: frozenset[str] = frozenset()
    trivy_severities: frozenset[Severity] = frozenset({Severity.HIGH, Severity.CRITICAL})
    podsecurity_baseline_only: bool = False

    def counts(self, finding: SecurityFinding) -> bool:
        """Whether a finding can refuse a fix; what is of unknown severity always can."""
        if finding.source == "trivy" and finding.severity is not Severity.UNKNOWN:
            return finding.severity in self.trivy_severities
        return not (self.podsecurity_baseline_only and finding.rule_id.startswith("pss-restricted-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLimits:
    """How much a trial may take and what it may copy.

    Attributes:
        shadows: trials at a time, cluster-wide.
        pods: in one arm.
        trials: pods of each workload that is tried, in each arm.
        deletion_seconds: real seconds to wait for an arm to be gone.
        copy_secrets: Secrets that may be copied as they are, as NAMESPACE/NAME; all others are faked.
        probe_image: an image with Python 3.8 or later, for the probes that run inside an arm.
        internet: addresses that must be unreachable from an arm, as `host:port`.
        falco: how runtime alerts count.
        load: how many requests are sent.
        exploit: which proofs of concept are let loose on an arm.
    """

    shadows: int = 3
    pods: int = 40
    trials: int = 5
    deletion_seconds: float = 120.0
    copy_secrets: Collection[str] = ()
    probe_image: str = "python:3.12-slim"
    internet: tuple[str, ...] = ("1.1.1.1:443", "8.8.8.8:53")
    falco: FalcoRules = field(default_factory=FalcoRules)
    load: LoadRules = field(default_factory=LoadRules)
    security: SecurityRules = field(default_factory=SecurityRules)
    exploit: SandboxRules = field(default_factory=SandboxRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTools:
    """The doors that a trial uses.

    Attributes:
        reader: of the cluster.
        actuator: the only door that writes to it.
        progress: who is told how it goes.
        cluster: which cluster; its time scale divides every delay.
        limits: how much a trial may take.
        last_good: finds what the candidate is compared with; None: nobody does.
    """

    reader: ClusterReader
    actuator: Actuator
    progress: Progress
    cluster: Cluster
    limits: TrialLimits = field(default_factory=TrialLimits)
    last_good: LastGood | None = None

    def now(self) -> float:
        """Nominal seconds on a clock that only goes forward."""
        return asyncio.get_running_loop().time() * self.cluster.time_scale

    def real(self, nominal: float) -> float:
        """The real seconds that a nominal delay takes on this cluster."""
        return nominal / self.cluster.time_scale

    def watch(
        self, api_version: str, kind: str, namespace: str, *, fields: str = "", labels: str = ""
    ) -> AbstractAsyncContextManager[AsyncGenerator[ObjectEvent, None]]:
        """A watch that is closed where the block ends."""
        events = self.reader.watch(api_version, kind, namespace=namespace, fields=fields, labels=labels)
        return aclosing(cast("AsyncGenerator[ObjectEvent, None]", events))

    @property
    def enforces_networks(self) -> bool:
        """Whether the cluster does not say of itself that it ignores NetworkPolicies."""
        return not any("networkpolic" in gap.lower().replace(" ", "") for gap in self.cluster.gaps)
