"""`kind: TriageReport`: what was read, the attacks, each group with its verdict and evidence, each mend with its proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from aegis.falco.alert import Alert
from aegis.falco.document import moment_text
from aegis.falco.identity import identity
from aegis.falco.priority import Priority
from aegis.falco.report import scope_fields
from aegis.triage.chains import Chain
from aegis.triage.classify import Judged, Verdict
from aegis.triage.grouping import pods
from aegis.triage.records import baseline_entry, runbook_line
from aegis.triage.tuning import Mend, Proof, Together
from aegis.triage.values import Unchangeable, difference, with_rule
from aegis.triage.workloads import program_of

_EVIDENCE: Final = 5
_LONGEST: Final = 500
_ORDER: Final[tuple[Verdict, ...]] = ("real", "unsure", "benign-true-positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which groups are wanted; what is empty asks for all.

    Attributes:
        rule: one of the group's rules, or its family.
        priority: the lowest that counts; a group has the gravest of its alerts.
        namespace: exactly this one.
    """

    rule: str = ""
    priority: Priority | None = None
    namespace: str = ""

    def wants(self, one: Judged) -> bool:
        """Whether a group is asked for."""
        group = one.group
        return (
            (not self.rule or self.rule in {*group.rules, group.family})
            and (self.priority is None or group.priority.at_least(self.priority))
            and (not self.namespace or group.workload.namespace == self.namespace)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a triage found.

    Attributes:
        history: all alerts that were read.
        judged: every group.
        chains: the attacks.
        mends: of each group that is shown, by its id.
        together: the silencing ones that come first, as one.
        asked: which groups are shown.
        values: name and text of the team's file of values; None where none was given.
        today: the day.
    """

    history: Sequence[Alert]
    judged: Sequence[Judged]
    chains: Sequence[Chain]
    mends: dict[str, tuple[Mend, ...]]
    together: Together | None
    asked: Asked
    values: tuple[str, str] | None
    today: date

    @property
    def shown(self) -> tuple[Judged, ...]:
        """The groups that were asked for: the real ones first, and the gravest first among them."""
        wanted = [one for one in self.judged if self.asked.wants(one)]
        return tuple(sorted(wanted, key=lambda one: (_ORDER.index(one.verdict), one.group.priority)))

    @property
    def attacks(self) -> tuple[Chain, ...]:
        """The attacks that touch what was asked for; whatever the priority of their steps is."""
        anyhow = replace(self.asked, priority=None)
        touched = {one.chain.id for one in self.judged if one.chain is not None and anyhow.wants(one)}
        return tuple(one for one in self.chains if one.id in touched)

    @property
    def is_escalated(self) -> bool:
        """Whether one of the groups that are shown is real, or may be, or there is an attack."""
        return bool(self.attacks) or any(one.is_escalated for one in self.shown)


def report_fields(found: Findings) -> dict[str, Any]:
    """The document, but for what it was read from."""
    shown = found.shown
    shown_ids = {number for one in shown for number in one.group.numbers}
    verdicts = Counter(one.verdict for one in shown)
    hidden = Counter(one.verdict for one in found.judged if not found.asked.wants(one))
    return {
        "asked": {
            "rule": found.asked.rule or None,
            "priority": found.asked.priority.word if found.asked.priority is not None else None,
            "namespace": found.asked.namespace or None,
        },
        "classification": "real" if found.attacks else next((one for one in _ORDER if verdicts[one]), None),
        "escalate": found.is_escalated,
        "counts": _counts(verdicts) | {"alerts": len(shown_ids), "groups": len(shown)},
        "not_shown": _counts(hidden),
        "attacks": [_attack(found.history, one) for one in found.attacks],
        "groups": [_group(found, one) for one in shown],
        "together": _together(found, found.together) if found.together is not None else None,
    }


def _counts(verdicts: Counter[Verdict]) -> dict[str, int]:
    return {"real": verdicts["real"], "unsure": verdicts["unsure"], "benign": verdicts["benign-true-positive"]}


def _attack(history: Sequence[Alert], chain: Chain) -> dict[str, Any]:
    times = sorted(at for number in chain.numbers if (at := history[number].time_ns) is not None)
    return {
        "id": chain.id,
        "workload": chain.place,
        "rules": list(chain.rules),
        "steps": [_step(history, chain, rule) for rule in chain.rules],
        "alerts": len(chain.numbers),
        "pods": list(pods(history, chain.numbers)),
        "containers": [" ".join(one) for one in chain.containers],
        "first": moment_text(times[0]) if times else None,
        "last": moment_text(times[-1]) if times else None,
        "ids": [identity(history[number]) for number in chain.numbers],
    }


def _step(history: Sequence[Alert], chain: Chain, rule: str) -> dict[str, Any]:
    """One sign of an attack: how often, and the first alert of it."""
    numbers = [number for number in chain.numbers if (history[number].rule or history[number].message[:80]) == rule]
    first = min(numbers, key=lambda number: (history[number].time_ns or 0, number))
    gravest = min(history[number].priority for number in numbers)
    return {"rule": rule, "priority": gravest.word, "alerts": len(numbers), "first": _line(history[first])}


def _group(found: Findings, one: Judged) -> dict[str, Any]:
    history, group, traits = found.history, one.group, one.traits
    workload = group.workload
    mends = found.mends.get(group.id, ())
    return {
        "id": group.id,
        "family": group.family,
        "rules": list(group.rules),
        "priority": group.priority.word,
        "classification": one.verdict,
        "escalate": one.is_escalated,
        "reasons": list(one.reasons),
        "alerts": len(group.numbers),
        "first": moment_text(traits.first_ns) if traits.first_ns is not None else None,
        "last": moment_text(traits.last_ns) if traits.last_ns is not None else None,
        "workload": {
            "namespace": workload.namespace or None,
            "name": workload.name or None,
            "image": workload.image or None,
            "container": workload.container or None,
            "host": workload.host or None,
            "pods": list(pods(history, group.numbers)),
        },
        "process": {
            "identity": group.process,
            "programs": sorted({program_of(history[number]) for number in group.numbers}),
            "parents": list(traits.parents),
            "interactive": traits.is_interactive,
        },
        "attack": one.chain.id if one.chain is not None else None,
        "contested": len(one.contested),
        "frequency": {
            "runs": traits.runs,
            "containers": traits.containers,
            "period_seconds": traits.period_seconds,
            "recurring": traits.is_recurring,
            "scheduled": traits.is_scheduled,
        },
        "provenance": {"images": list(traits.images), "digest": traits.digest or None, "official": traits.is_official},
        "destinations": list(traits.destinations),
        "from_text": traits.from_text,
        "evidence": [_line(history[number]) for number in _telling(history, group.numbers)],
        "ids": [identity(history[number]) for number in group.numbers],
        "proposals": [_mend(found, one, mend) for mend in mends if not mend.withdrawn],
        "withdrawn": [_mend(found, one, mend) for mend in mends if mend.withdrawn],
    }


def _telling(history: Sequence[Alert], numbers: Sequence[int]) -> list[int]:
    """A few alerts: the first of each command line, and then the last."""
    first: dict[str, int] = {}
    for number in numbers:
        first.setdefault(history[number].text("proc.cmdline"), number)
    chosen = list(first.values())[: _EVIDENCE - 1]
    return list(dict.fromkeys([*chosen, numbers[-1]]))


def _line(alert: Alert) -> dict[str, Any]:
    return {
        "id": identity(alert),
        "time": moment_text(alert.time_ns) if alert.time_ns is not None else None,
        "pod": alert.text("k8s.pod.name") or None,
        "parent": alert.text("proc.pname") or None,
        "command": alert.text("proc.cmdline")[:_LONGEST] or None,
        "file": alert.text("fd.name")[:_LONGEST] or None,
        "text": alert.output[:_LONGEST],
        "from_text": alert.from_text,
    }


def _mend(found: Findings, judged: Judged, mend: Mend) -> dict[str, Any]:
    is_proposed = not mend.withdrawn
    bake = mend.bake
    return {
        "kind": mend.kind,
        "rule": mend.rule or None,
        "summary": mend.summary,
        "silencing": mend.is_silencing,
        "withdrawn": mend.withdrawn or None,
        "owner": mend.owner or None,
        "expires": mend.expires.isoformat() if mend.expires is not None else None,
        "image": None
        if bake is None
        else {
            "tool": bake.tool,
            "image": bake.image,
            "packages": list(bake.packages),
            "digest": bake.digest or None,
            "dockerfile": bake.dockerfile,
            "patch": bake.patch,
            "missing": list(bake.missing),
        },
        "exception_yaml": mend.text or None,
        "scope": scope_fields(mend.scope) if mend.scope is not None else None,
        **(_diff(found.values, mend.text) if is_proposed else {"values_diff": None}),
        "runbook": runbook_line(judged, mend, found.today) if is_proposed else None,
        "baseline_entry": baseline_entry(found.history, judged, mend) or None if is_proposed else None,
        "notes": list(mend.notes),
        "proof": _proof(found.history, mend.proof) if mend.proof is not None else None,
    }


def _together(found: Findings, whole: Together) -> dict[str, Any]:
    return {
        "rules": list(whole.rules),
        "exception_yaml": whole.text or None,
        "withdrawn": whole.withdrawn or None,
        **_diff(found.values, whole.text),
        "proof": _proof(found.history, whole.proof) if whole.proof is not None else None,
    }


def _diff(values: tuple[str, str] | None, rules: str) -> dict[str, Any]:
    if values is None or not rules:
        return {"values_diff": None}
    name, text = values
    try:
        return {"values_diff": difference(text, with_rule(text, rules), name)}
    except Unchangeable as reason:
        return {"values_diff": None, "values_by_hand": str(reason)}


def _proof(history: Sequence[Alert], proof: Proof) -> dict[str, Any]:
    found = proof.found
    return {
        "method": proof.method,
        "alerts": proof.alerts,
        "suppressed_benign": len(proof.benign),
        "suppressed_suspicious": len(proof.suspicious),
        "unknown": proof.unknown,
        "untouched": proof.untouched,
        "unmasked": len(found.unmasked_alerts) if found is not None else 0,
        "unmasked_by": [
            {"rule": one.rule, "by": one.by, "certain": len(one.certain), "possible": len(one.possible)}
            for one in (found.unmasked if found is not None else ())
        ],
        "missing_fields": found.missing_fields if found is not None else [],
        "append_output": proof.patch or None,
        "ids": _ids(history, [*proof.benign, *proof.suspicious]),
        "seconds": round(found.seconds, 6) if found is not None else 0.0,
    }


def _ids(history: Sequence[Alert], numbers: Iterable[int]) -> list[str]:
    return [identity(history[number]) for number in sorted(numbers)]
