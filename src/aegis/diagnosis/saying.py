"""Rules that rest on what a program says of itself: worth telling a person, and nothing that authorises a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aegis.diagnosis.case import Case, Hypothesis, Rule, Symptom, Trouble, cite
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.said import first_said
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence
from aegis.model.refs import ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What a line of output means.

    Attributes:
        pattern: finds it.
        explanation: one or two sentences; `{line}` is the line, `{container}` the container.
        because: a clause for the root.
        advice: what a person has to do.
        root: the object that must change, of what the pattern found; without it, the workload.
        risk: of the advice.
        weight: see `Hypothesis.weight`.
    """

    pattern: re.Pattern[str]
    explanation: str
    because: str
    advice: str
    root: Callable[[Case, Symptom, re.Match[str]], ObjectRef | None] | None = None
    risk: Risk = Risk.MEDIUM
    weight: int = 45


def saying_rule(name: str, saying: Saying) -> Rule:
    """The rule for a failure mode that only a program's own output names."""

    def examine(case: Case, symptom: Symptom) -> Iterator[Hypothesis]:
        told = first_said(case, symptom, saying.pattern)
        match = saying.pattern.search(told.line) if told else None
        if told is None or match is None:
            return
        words = {
            **{k: v or "" for k, v in match.groupdict().items()},
            "line": told.line.strip()[:200],
            "container": symptom.container,
        }
        root = saying.root(case, symptom, match) if saying.root else None
        yield Hypothesis(
            cause=name,
            root=root or case.subject.ref,
            certainty=Confidence.LIKELY,
            explanation=_filled(saying.explanation, words),
            because=_filled(saying.because, words),
            citations=(cite(told.source, told.line),),
            fixes=(human_fix(name.replace("_", "-"), _filled(saying.advice, words), risk=saying.risk),),
            weight=saying.weight,
            hearsay=True,
        )

    troubles = frozenset({Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT})
    return Rule(name=name, troubles=troubles, examine=examine)


def _filled(template: str, words: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0])[:300], template)
