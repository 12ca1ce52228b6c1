"""Rules that one message of Kubernetes decides: what it means, and what has to be done about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aegis.diagnosis.case import Case, Hypothesis, Rule, Symptom, Trouble, cite
from aegis.diagnosis.graph import EventNode
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Fix, Risk
from aegis.model.diagnosis import Alternative, Confidence
from aegis.model.refs import ObjectRef

Fixes = Callable[[Case, Symptom, re.Match[str]], tuple[Fix, ...]]
Root = Callable[[Case, Symptom, re.Match[str]], ObjectRef | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a message means.

    Attributes:
        pattern: finds it; its named groups may stand in the texts, as `{name}`, beside `{container}` and `{image}`.
        explanation: one or two sentences.
        because: a clause for the root.
        advice: what a person has to do, where `fixes` offers nothing.
        fixes: the fixes that the evidence permits.
        root: the object that must change; without it, the workload.
        reasons: only for symptoms with one of these reasons.
        not_for: other causes that the message excludes, and why.
        certainty: how sure the message makes it.
        risk: of the advice.
        weight: see `Hypothesis.weight`.
    """

    pattern: re.Pattern[str]
    explanation: str
    because: str
    advice: str
    fixes: Fixes | None = None
    root: Root | None = None
    reasons: frozenset[str] = frozenset()
    not_for: tuple[Alternative, ...] = ()
    certainty: Confidence = Confidence.CONFIRMED
    risk: Risk = Risk.MEDIUM
    weight: int = 60


def message_rule(name: str, *troubles: Trouble, meaning: Meaning) -> Rule:
    """The rule for a failure mode that Kubernetes names in a message."""

    def examine(case: Case, symptom: Symptom) -> Iterator[Hypothesis]:
        if meaning.reasons and symptom.reason not in meaning.reasons:
            return
        found = _find(case, symptom, meaning.pattern)
        if found is not None:
            yield _hypothesis(name, case, symptom, meaning=meaning, match=found[0], event=found[1])

    return Rule(name=name, troubles=frozenset(troubles), examine=examine)


def _find(case: Case, symptom: Symptom, pattern: re.Pattern[str]) -> tuple[re.Match[str], EventNode | None] | None:
    """Where the message stands: in the symptom itself, else in a warning about the failing object."""
    if match := pattern.search(symptom.message):
        return match, None
    for event in case.events(symptom):
        if event.type == "Warning" and (match := pattern.search(event.message)):
            return match, event
    return None


def _hypothesis(
    name: str, case: Case, symptom: Symptom, *, meaning: Meaning, match: re.Match[str], event: EventNode | None
) -> Hypothesis:
    view = case.container(symptom)
    words = {key: value or "" for key, value in match.groupdict().items()}
    words |= {"container": symptom.container, "image": view.image if view else "", "workload": str(case.subject.ref)}
    root = meaning.root(case, symptom, match) if meaning.root else None
    fixes = meaning.fixes(case, symptom, match) if meaning.fixes else ()
    line = event.message if event else symptom.message
    citation = cite(event) if event else cite(symptom.subject, f"{symptom.reason}: {line}")
    own = tuple(cited for cited in symptom.citations if any(line and line in said for said in cited.lines))
    return Hypothesis(
        cause=name,
        root=root or case.subject.ref,
        certainty=meaning.certainty,
        explanation=_filled(meaning.explanation, words),
        because=_filled(meaning.because, words),
        citations=(citation,) if event or not own else own,
        fixes=fixes or (human_fix(name.replace("_", "-"), _filled(meaning.advice, words), risk=meaning.risk),),
        ruled_out=meaning.not_for,
        weight=meaning.weight,
    )


def _filled(template: str, words: dict[str, str]) -> str:
    """The text with `{name}` replaced; not `str.format`, since messages may hold braces."""
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0])[:300], template)
