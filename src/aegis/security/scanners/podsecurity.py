"""A scanner for the Pod Security Standards over everything that bears a pod; it needs no tool and no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aegis import __version__
from aegis.kube.pod_security import CONTROLS, Control, Fault, pod_of
from aegis.kube.pod_template import template_of
from aegis.model.refs import Json, ObjectRef
from aegis.model.scan import Coverage, Manifests, ScanResult, ScanStatus, Subject, Tool
from aegis.model.security import SecurityFinding, Severity
from aegis.security.desk import Desk

NAME = "podsecurity"

_TOOL = Tool(name=NAME, version=__version__)

_REFERENCE = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_CRITICAL = frozenset({"privileged", "host-namespaces", "host-path", "host-process"})
"""Each of these gives the node away."""


class PodSecurity:
    """Pod Security Standards, baseline and restricted."""

    name = NAME

    def accepts(self, subject: Subject) -> bool:
        """Manifests."""
        return isinstance(subject, Manifests)

    async def probe(self, desk: Desk) -> Tool:  # noqa: ARG002 - it needs nothing
        """Always there: the standards are part of this program."""
        return _TOOL

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:  # noqa: ARG002 - it needs nothing
        """Look at every object that bears a pod; others are passed over."""
        assert isinstance(subject, Manifests)  # noqa: S101 - `accepts` says so
        return look(subject.objects)


def look(objects: Sequence[Json]) -> ScanResult:
    """Every fault of every object that bears a pod, the items of Lists included; others are passed over."""
    findings: list[SecurityFinding] = []
    scanned: list[str] = []
    for obj in _flat(objects):
        template = template_of(obj)
        if template is None:
            continue
        subject = ObjectRef.of(obj)
        scanned.append(str(subject))
        pod = pod_of(template)
        findings += [finding(subject, control, fault) for control in CONTROLS for fault in control.check(pod)]
    return ScanResult(
        scanner=NAME,
        status=ScanStatus.FINDINGS if findings else ScanStatus.CLEAN,
        findings=tuple(findings),
        coverage=Coverage(expected=tuple(scanned), scanned=tuple(scanned)),
        tool=_TOOL,
    )


def finding(subject: ObjectRef, control: Control, fault: Fault) -> SecurityFinding:
    """A fault as a finding."""
    return SecurityFinding(
        source=NAME,
        rule_id=f"pss-{control.level}-{control.id}",
        severity=severity(control),
        title=f"{control.title} ({control.level})",
        description=f"{fault.location}: {fault.found}. {control.remedy}",
        subject=subject,
        location=fault.location,
        reference=_REFERENCE,
    )


def severity(control: Control) -> Severity:
    """What gives the node away is critical, the rest of baseline high, restricted medium."""
    if control.id in _CRITICAL:
        return Severity.CRITICAL
    return Severity.HIGH if control.level == "baseline" else Severity.MEDIUM


def _flat(objects: Sequence[Json]) -> Iterator[Json]:
    for obj in objects:
        if str(obj.get("kind") or "").endswith("List") and isinstance(obj.get("items"), list):
            yield from _flat([item for item in obj["items"] if isinstance(item, dict)])
        else:
            yield obj


PLUGIN = PodSecurity()
