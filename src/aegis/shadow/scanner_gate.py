"""A gate for each scanner: what it said of the workload as it is, held against what it says of the candidate.

What was there before refuses no fix; what the fix brings in does. What could not be asked is no yes: where the scanner is
required, or is there and failed, the trial stays undecided, else it is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aegis.model.report import ScannerOutcome, Suppressed
from aegis.model.scan import Image, Manifests, ScanStatus, Url
from aegis.model.security import ScannerPart, SecurityComparison
from aegis.model.verdict import GateResult, Outcome
from aegis.security.waivers import Waived, apply
from aegis.shadow.case import ARMS, GOOD, Stage, Trial
from aegis.shadow.scanning import Look, Looks
from aegis.shadow.tools import SecurityRules

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
        if fault := next((trial.subjects[arm].fault for arm in ARMS if trial.subjects[arm].fault), ""):
            gate = GateResult(gate=self.name, outcome=Outcome.ERRORED, required=True, reason=fault, inconclusive=True)
            return noted(trial, gate, Looks())
        trial.tools.progress(f"asking {self.name} about both arms")
        before, after = [await trial.scans.of(self.name, trial.subjects[arm].all) for arm in ARMS]
        looks = await _with_a_baseline(trial, self.name, Looks(before=before, after=after))
        return settled(trial, self.name, looks)


def switched_off(name: str) -> GateResult:
    """What is said of a scanner that a person does not want."""
    reason = f"switched off: security.{name}_enabled"
    return GateResult(gate=name, outcome=Outcome.SKIPPED, required=False, reason=reason)


def noted(trial: Trial, gate: GateResult, looks: Looks, waived: Waived | None = None) -> GateResult:
    """The gate, written down with what it rests on for whoever reads the comparison."""
    part = ScannerPart(
        scanner=gate.gate,
        outcome=gate.outcome.value,
        reason=gate.reason,
        tool=_tool(looks),
        coverage=gate.coverage,
        suppressed=tuple(map(_answered_for, waived.suppressed)) if waived else (),
    )
    trial.scanned[gate.gate] = (part, looks)
    return gate


def settled(trial: Trial, name: str, looks: Looks) -> GateResult:
    """The gate for what a scanner said, once what somebody answers for is taken away; noted."""
    rules = trial.tools.limits.security
    kept, waived = _without_what_is_waived(by_container(looks), rules)
    gate = decide(name, kept, rules)
    notes = "; ".join(filter(None, [gate.coverage, *waived.notes]))
    return noted(trial, replace(gate, coverage=notes), kept, waived)


def decide(name: str, looks: Looks, rules: SecurityRules) -> GateResult:
    """What follows from what a scanner said. Pure.

    Args:
        name: of the scanner.
        looks: what it said.
        rules: what counts, and what is required.
    """
    lost = {type(look.subject) for look in looks.before if _is_broken(look)}
    counted = tuple(filter(rules.counts, looks.findings_after))
    known = Looks(after=tuple(look for look in looks.after if type(look.subject) not in lost)).findings_after
    if looks.before:  # of what is lost nobody knows what is new
        compared = SecurityComparison(before=looks.findings_before, after=tuple(filter(rules.counts, known)))
        objections = rules.policy.objections(compared)
    else:
        objections = rules.policy.objections_alone(counted)
    verdict = rules.policy.judge(
        name,
        [look.result for look in looks.after if not _is_beside(look, looks)],
        before=[look.result for look in looks.before if counted or not _is_broken(look)],
        objections=objections,
    )
    gate = GateResult(
        gate=name,
        outcome=Outcome(verdict.outcome.value),
        required=verdict.blocks or verdict.outcome is ScannerOutcome.PASSED,
        reason=verdict.reason,
        measured=float(len(objections)),
        threshold=0.0,
        unit="new findings",
        coverage="; ".join(part for part in (_covered(looks.after), _tool(looks)) if part),
    )
    if gate.outcome is Outcome.PASSED:
        return gate
    if gate.outcome is Outcome.FAILED:
        return replace(gate, reason=f"the fix is worse than what it replaces: {gate.reason}")
    skipped = _reasons(look for look in looks.after if look.result.status is ScanStatus.SKIPPED)
    reason = skipped if skipped and gate.outcome is Outcome.SKIPPED else gate.reason
    return replace(gate, reason=reason, measured=None, inconclusive=verdict.blocks)


def by_container(looks: Looks) -> Looks:
    """The findings of an image, once for each container that runs it: what one container had is new in another.

    A container that is new itself counts as one that ran its image before, where there was one.
    """
    ran = {name: image.reference for image in _images(looks.before) for name in image.containers}
    stands_for = {reference: name for name, reference in reversed(ran.items())}

    def holder(image: Image, name: str) -> str:
        return name if name in ran else stands_for.get(image.reference, name)

    def told(look: Look) -> Look:
        image = look.subject
        if not isinstance(image, Image) or not image.containers:
            return look
        holders = dict.fromkeys(holder(image, name) for name in image.containers)
        findings = tuple(replace(one, container=name) for name in holders for one in look.result.findings)
        return replace(look, result=replace(look.result, findings=findings))

    return Looks(before=tuple(map(told, looks.before)), after=tuple(map(told, looks.after)))


def _images(looks: Iterable[Look]) -> Iterator[Image]:
    return (look.subject for look in looks if isinstance(look.subject, Image))


def _is_beside(look: Look, looks: Looks) -> bool:
    """A tool that looks at images is required for these; that it is not there for the objects beside them is a gap."""
    images = any(isinstance(one.subject, Image) for one in looks.after)
    absent = look.result.status is ScanStatus.SKIPPED and bool(look.result.tool.absent)
    return images and absent and isinstance(look.subject, Manifests)


def _without_what_is_waived(looks: Looks, rules: SecurityRules) -> tuple[Looks, Waived]:
    """What nobody answers for, and what came of the waivers for the candidate."""
    now = rules.desk.now()
    before = apply(looks.findings_before, rules.waivers, now=now)
    after = apply(looks.findings_after, rules.waivers, now=now)
    return Looks(before=_left(looks.before, before), after=_left(looks.after, after)), after


def _left(looks: Sequence[Look], waived: Waived) -> tuple[Look, ...]:
    return tuple(replace(look, result=waived.left_of(look.result)) for look in looks)


def _answered_for(one: Suppressed) -> str:
    where = one.finding.package or str(one.finding.subject)
    until = f" until {one.expires}" if one.expires else ""
    return f"{one.finding.rule_id} in {where}: {one.owner} answers for it{until}: {one.reason}"


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
