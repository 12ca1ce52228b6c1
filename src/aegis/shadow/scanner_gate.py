"""A gate for each scanner: what it said of the workload as it is, held against what it says of the candidate.

What was there before refuses no fix; what the fix brings in does. What could not be asked is no yes: where the scanner is
required, or is there and failed, the trial stays undecided, else it is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aegis.model.scan import Image, Manifests, ScanStatus, Url
from aegis.model.security import ScannerPart, SecurityComparison, SecurityFinding
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.case import ARMS, GOOD, Stage, Trial
from aegis.shadow.scanning import Look, Looks
from aegis.shadow.tools import SecurityRules

_SHOWN = 3
_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerGate:
    """One scanner on what the arms hold, before anything runs.

    Attributes:
        name: the scanner's.
        order: its turn among the gates of this stage.
    """

    name: str
    order: int
    required: bool = False
    stage: Stage = Stage.STATIC
    weight: int = 0

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where all was looked at and nothing new was found; see the module for the rest."""
        rules = trial.tools.limits.security
        if self.name in rules.off:
            return noted(trial, switched_off(self.name), Looks())
        trial.tools.progress(f"scanning with {self.name}")
        before, after = [await trial.scans.of(self.name, trial.subjects[arm].all) for arm in ARMS]
        looks = await _with_a_baseline(trial, self.name, Looks(before=before, after=after))
        return noted(trial, decide(self.name, looks, rules), looks)


def switched_off(name: str) -> GateResult:
    """What is said of a scanner that a person does not want."""
    reason = f"switched off: security.{name}_enabled"
    return GateResult(gate=name, outcome=Outcome.SKIPPED, required=False, reason=reason)


def noted(trial: Trial, gate: GateResult, looks: Looks) -> GateResult:
    """The gate, written down with what it rests on for whoever reads the comparison."""
    part = ScannerPart(
        scanner=gate.gate, outcome=gate.outcome.value, reason=gate.reason, tool=_tool(looks), coverage=gate.coverage
    )
    trial.scanned[gate.gate] = (part, looks)
    return gate


def decide(name: str, looks: Looks, rules: SecurityRules) -> GateResult:
    """What follows from what a scanner said. Pure.

    Args:
        name: of the scanner.
        looks: what it said.
        rules: what is required.
    """
    alone = not looks.before
    after = tuple(one for one in looks.findings_after if rules.counts(one, alone=alone))
    counted = SecurityComparison(before=looks.findings_before, after=after)
    objections = rules.policy.objections(counted)
    gate = GateResult(
        gate=name,
        outcome=Outcome.PASSED,
        required=True,
        measured=float(len(objections)),
        threshold=0.0,
        unit="new findings",
        coverage="; ".join(part for part in (_covered(looks.after), _tool(looks)) if part),
    )
    if objections:
        return replace(gate, outcome=Outcome.FAILED, reason=_told(objections))
    broken = [look for look in (*looks.after, *(looks.before if counted.after else ())) if _is_broken(look)]
    if broken:
        gate = replace(gate, outcome=Outcome.ERRORED, reason=_reasons(broken), measured=None)
        is_open = name in rules.fail_open
        return replace(gate, required=not is_open, inconclusive=not is_open)
    return _of_what_was_skipped(gate, looks.after, is_required=name in rules.required)


def _of_what_was_skipped(gate: GateResult, after: Sequence[Look], *, is_required: bool) -> GateResult:
    """PASSED only where nothing was. A tool that is required must be there for what it alone can look at: images first."""
    skipped = [look for look in after if look.result.status is ScanStatus.SKIPPED]
    if not skipped and after:
        return gate
    reason = _reasons(skipped) or "there is nothing that it looks at"
    gate = replace(gate, outcome=Outcome.SKIPPED, required=False, reason=reason, measured=None)
    images = [look for look in after if isinstance(look.subject, Image)]
    missed = [look for look in images or after if look in skipped and look.result.tool.absent]
    return replace(gate, required=True, inconclusive=True) if missed and is_required else gate


async def _with_a_baseline(trial: Trial, name: str, looks: Looks) -> Looks:
    """An image that cannot be had is mostly the very fault: then the last good revision's take its place."""
    lost = [look for look in looks.before if isinstance(look.subject, Image) and _is_broken(look)]
    good = trial.subjects.get(GOOD)
    if not lost or good is None:
        return looks
    instead = await trial.scans.of(name, good.images)
    if not instead or any(_is_broken(look) for look in instead):
        return looks
    return replace(looks, before=(*(look for look in looks.before if look not in lost), *instead))


def _is_broken(look: Look) -> bool:
    return not look.result.status.complete and look.result.status is not ScanStatus.SKIPPED


def _told(objections: Iterable[SecurityFinding]) -> str:
    worst = sorted(objections, key=lambda item: -item.severity)
    more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
    shown = "; ".join(f"{item.severity.name} {item.title} ({item.subject})" for item in worst[:_SHOWN])
    return f"the fix is worse than what it replaces: {shown}{more}"


def _reasons(looks: Iterable[Look]) -> str:
    return "; ".join(dict.fromkeys(look.result.reason for look in looks if look.result.reason))[:_WORDS]


def _services(looks: Sequence[Look]) -> str:
    """Which services were scanned, of those that had to be."""
    asked = [look for look in looks if isinstance(look.subject, Url)]
    done = sum(look.result.status.complete for look in asked)
    return f"{done} of {len(asked)} services" if asked else ""


def _covered(looks: Sequence[Look]) -> str:
    """How much of what had to be looked at was, in words."""
    objects = [look.result.coverage for look in looks if isinstance(look.subject, Manifests)]
    images = [look for look in looks if isinstance(look.subject, Image)]
    parts = []
    if expected := sum(len(one.expected) for one in objects):
        parts.append(f"{expected - sum(len(one.missing) for one in objects)} of {expected} objects")
    if images:
        parts.append(f"{sum(look.result.status.complete for look in images)} of {len(images)} images")
    return ", ".join([*parts, *filter(None, [_services(looks)])])


def _tool(looks: Looks) -> str:
    """With what, and of when what it knows is."""
    for look in (*looks.after, *looks.before):
        tool = look.result.tool
        if tool.version:
            database = f", database of {tool.database:%Y-%m-%d}" if tool.database else ""
            return f"{tool.name} {tool.version}{database}"
    return ""
