"""The narrowest mend of what is benign, in order: the image, a scoped exception, the rule; each proved, or withdrawn.

An exception is proved by replaying the whole history with it: it has to silence the alerts that it was made for, and
none that is suspicious. What is escalated gets no mend at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final, Literal

from aegis.falco.alert import Alert
from aegis.falco.derived import told_field
from aegis.falco.exceptions import FORMS, Proposal, Scope, propose
from aegis.falco.replay import Replay, append_output, replay
from aegis.falco.rules import Ruleset, load
from aegis.falco.scoping import why_unsafe
from aegis.falco.yaml_text import scalar
from aegis.triage.baking import Bake, bake
from aegis.triage.classify import Judged
from aegis.triage.knowledge import GENERAL
from aegis.triage.workloads import program_of

Kind = Literal["image-bake", "exception", "suppression"]
_FEW_VALUES: Final = 8
"""Different files or command lines, at most, that an exception of a general program names."""
_STRONG: Final = 20
"""Alerts in unharmed containers, at least, before a rule may be switched off for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a mend would have made of the history; numbers are places in it.

    An exception changes the condition of one rule and of no other (that is checked), so the alerts of that rule are
    replayed; for the others nothing changes.

    Attributes:
        method: `replay`: the history was played through the changed rules; `cause-removed`: no rule changes, and what
            was told happens no more.
        alerts: how many were replayed: those of the rule; of an image those of the group.
        benign: the benign alerts that would not be told.
        suspicious: the suspicious ones that would not be told: of these none may be.
        unknown: how many the fields cannot decide.
        untouched: how many are of other rules.
        found: the replay; None where no rule changes.
    """

    method: Literal["replay", "cause-removed"]
    alerts: int
    benign: tuple[int, ...]
    suspicious: tuple[int, ...]
    unknown: int = 0
    untouched: int = 0
    found: Replay | None = None

    @property
    def patch(self) -> str:
        """The part of falco.yaml that makes the next history decide what this one leaves unknown."""
        return append_output(self.found) if self.found is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One way to end the alerts of a group.

    Attributes:
        kind: what is done.
        rule: whose alerts it ends; empty for an image, which may end those of several.
        summary: it in a sentence.
        proof: what it would have made of the history; None where it never came to that.
        withdrawn: why it is not proposed; empty where it is.
        bake: what to build.
        text: the rules to load behind the others.
        scope: of the exception.
        owner: who answers for it.
        expires: when it should be gone.
        notes: what a person has to know or to fill in.
    """

    kind: Kind
    rule: str
    summary: str
    proof: Proof | None
    withdrawn: str = ""
    bake: Bake | None = None
    text: str = ""
    scope: Scope | None = None
    owner: str = ""
    expires: date | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_silencing(self) -> bool:
        """Whether Falco would tell less than before of what still happens."""
        return self.kind != "image-bake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Every silencing mend that comes first for its group, as one file of rules.

    Attributes:
        rules: whose alerts it ends.
        text: the rules to load behind the others.
        proof: what all of it would have made of the whole history; None where the rules were not given.
        withdrawn: why the single mends cannot stand together; empty where they can.
    """

    rules: tuple[str, ...]
    text: str
    proof: Proof | None = None
    withdrawn: str = ""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What mends are made from.

    Attributes:
        history: all alerts.
        judged: every group of it.
        files: the rules that wrote it, name and text.
        owner: who answers for exceptions.
        expires: when they should be gone.
    """

    history: Sequence[Alert]
    judged: Sequence[Judged]
    files: Sequence[tuple[str, str]] = ()
    owner: str = ""
    expires: date | None = None

    @cached_property
    def suspicious(self) -> frozenset[int]:
        """Every alert that must go on being told."""
        escalated = (number for one in self.judged if one.is_escalated for number in one.group.numbers)
        contested = (number for one in self.judged for number in one.contested)
        return frozenset([*escalated, *contested])

    @cached_property
    def places(self) -> Mapping[str, list[int]]:
        """The alerts of each rule, by their place in the history."""
        found: dict[str, list[int]] = {}
        for place, alert in enumerate(self.history):
            found.setdefault(alert.rule, []).append(place)
        return found

    @cached_property
    def rules(self) -> Ruleset:
        """The rules as they are."""
        return load(self.files)

    def mends(self, judged: Judged) -> tuple[Mend, ...]:
        """Every mend of a group, the best first; those that were withdrawn say why. None for what is escalated."""
        return () if judged.is_escalated else tuple(self._mends(judged))

    def together(self, mends: Iterable[Sequence[Mend]]) -> Together | None:
        """What is to be loaded in the end, proved once more as a whole; None where nothing is silenced."""
        first = [next((mend for mend in each if not mend.withdrawn), None) for each in mends]
        chosen = [mend for mend in first if mend is not None and mend.is_silencing]
        if not chosen:
            return None
        found = Together(
            rules=tuple(sorted({mend.rule for mend in chosen})), text="".join(mend.text for mend in chosen)
        )
        if not self.files:
            return found
        after = load([*self.files, ("together.yaml", found.text)])
        if after.errors:
            return replace(found, text="", withdrawn=f"Falco would refuse it: {after.errors[0].message}")
        proof = self._proof(range(len(self.history)), replay(after, self.history, baseline=self.rules))
        if proof.suspicious:
            return replace(found, text="", proof=proof, withdrawn="it would silence suspicious alerts too")
        return replace(found, proof=proof)

    def _mends(self, judged: Judged) -> Iterator[Mend]:
        if built := bake(self.history, judged):
            yield self._baked(judged, built)
        for rule in judged.group.rules:
            exception = self._exception(judged, rule)
            yield exception
            if exception.withdrawn and not judged.contested:
                yield self._suppression(judged, rule)

    def _baked(self, judged: Judged, built: Bake) -> Mend:
        named = " ".join(built.packages) or f"what {built.tool} installs"
        proof = Proof(
            method="cause-removed",
            alerts=len(judged.group.numbers),
            benign=tuple(number for number in judged.group.numbers if number not in self.suspicious),
            suspicious=(),
            untouched=len(self.history) - len(judged.group.numbers),
        )
        return Mend(
            kind="image-bake",
            rule="",
            summary=f"build {named} into the image of {judged.group.workload}, pinned by digest; no rule changes",
            proof=proof,
            bake=built,
            owner=self._owner(judged),
            notes=built.missing,
        )

    def _exception(self, judged: Judged, rule: str) -> Mend:
        found = self._narrowest(judged, rule)
        proof = self._proof(self.places[rule], found.proof) if found.proof is not None else None
        form = found.scope.form if found.scope is not None else "exception"
        mend = Mend(
            kind="exception",
            rule=rule,
            summary=f"an exception of {rule!r} ({form}) for {judged.group.process} in {judged.group.workload}",
            proof=proof,
            withdrawn=found.refused,
            text=found.text,
            scope=found.scope,
            owner=self._owner(judged),
            expires=self.expires,
            notes=(*found.notes, *_broad(judged, found.scope), *self._nobody(judged)),
        )
        return self._checked(mend)

    def _narrowest(self, judged: Judged, rule: str) -> Proposal:
        """In the form that fits the rule: its own macro where it has one, an exception, its condition."""
        forms = ("macro", *(form for form in FORMS if form != "macro")) if self.files else ("exception",)
        refusal: Proposal | None = None
        places = self.places[rule]
        own = set(judged.group.numbers)
        history = [self.history[place] for place in places]
        chosen = [number for number, place in enumerate(places) if place in own]
        fields = _doing([history[number] for number in chosen])
        for form in forms:
            found = propose(
                rule,
                history,
                chosen,
                files=self.files,
                fields=fields,
                form=form,  # type: ignore[arg-type]  # one of FORMS
                owner=self._owner(judged),
                expires=self.expires,
            )
            if not found.refused:
                return found
            if refusal is None or form == "exception":
                refusal = found
        assert refusal is not None  # noqa: S101 - there is always a form
        return refusal

    def _suppression(self, judged: Judged, rule: str) -> Mend:
        mend = Mend(
            kind="suppression",
            rule=rule,
            summary=f"switch {rule!r} off, everywhere",
            proof=None,
            text=f"- rule: {scalar(rule)}\n  enabled: false\n  override:\n    enabled: replace\n",
            owner=self._owner(judged),
            expires=self.expires,
            notes=("the last resort: from then on nobody is told of it, anywhere, whoever does it",),
        )
        if weak := self._weak(judged, rule):
            return replace(mend, withdrawn=f"the evidence is not strong enough: {weak}")
        after = load([*self.files, ("suppression.yaml", mend.text)])
        if after.errors:
            return replace(mend, withdrawn=f"Falco would refuse it: {after.errors[0].message}")
        history = [self.history[place] for place in self.places[rule]]
        return self._checked(
            replace(mend, proof=self._proof(self.places[rule], replay(after, history, baseline=self.rules)))
        )

    def _weak(self, judged: Judged, rule: str) -> str:
        """Why a rule may not be switched off; empty if it may."""
        entry = judged.entry
        if not self.files:
            return "the rules were not given"
        if entry is None or entry.origin == "aegis":
            return "no baseline of yours vouches for it"
        if not judged.traits.is_recurring or judged.traits.clean < _STRONG:
            return f"fewer than {_STRONG} alerts, or not again and again"
        if self.suspicious.intersection(self.places[rule]):
            return "the rule told of suspicious activity too"
        return ""

    def _proof(self, places: Sequence[int], found: Replay) -> Proof:
        silent = [places[number] for number in found.suppressed]
        return Proof(
            method="replay",
            alerts=found.alerts,
            benign=tuple(place for place in silent if place not in self.suspicious),
            suspicious=tuple(place for place in silent if place in self.suspicious),
            unknown=len(set(found.unknown) - set(found.without_rule)),
            untouched=len(self.history) - found.alerts,
            found=found,
        )

    def _checked(self, mend: Mend) -> Mend:
        """Withdrawn if it would silence anything suspicious, or if that was not proved."""
        if mend.withdrawn:
            return replace(mend, text="")
        if mend.proof is None:
            return replace(mend, withdrawn="it could not be proved", text="")
        if mend.proof.suspicious:
            count = len(mend.proof.suspicious)
            return replace(mend, withdrawn=f"it would silence {count} suspicious alerts too", text="")
        return mend

    def _owner(self, judged: Judged) -> str:
        return self.owner or (judged.entry.owner if judged.entry is not None else "")

    def _nobody(self, judged: Judged) -> tuple[str, ...]:
        return () if self._owner(judged) else ("nobody answers for it: name somebody by --owner",)


def _broad(judged: Judged, scope: Scope | None) -> tuple[str, ...]:
    """A warning where a program that does whatever it is told is silent whatever that is."""
    name = judged.group.process.rpartition("/")[2]
    if scope is None or not GENERAL.fullmatch(name) or {"fd.name", "proc.cmdline"} & set(scope.fields):
        return ()
    return (f"{name} does whatever it is told, and all of it would be silent there: a program of its own is better",)


def _doing(alerts: Sequence[Alert]) -> tuple[str, ...]:
    """What besides the program says what is done, where the program does whatever it is told."""
    if not any(GENERAL.fullmatch(program_of(alert).rpartition("/")[2]) for alert in alerts):
        return ()
    for name in ("fd.name", "proc.cmdline"):
        values = {told_field(alert.fields, name) for alert in alerts}
        is_plain = not any(why_unsafe(value) or "->" in str(value) for value in values)
        if is_plain and len(values) <= _FEW_VALUES:
            return (name,)
    return ()
