"""Kubesec's question and answer: every pod under a name of ours, and what it says of each. Pure.

Source: Kubesec 2.14's report, a JSON list of `{object: "Kind/name.namespace", valid, message, score, scoring: {critical,
passed, advise}}`. It scores Pods, Deployments, StatefulSets and DaemonSets alone, splits a stream at lines that are
exactly `---`, and names an object by what its metadata says; so all else that bears a pod is asked about as a Pod, and
every object has a name here that no manifest could have chosen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from aegis.kube.pod_template import template_of
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.security import SecurityFinding, Severity
from aegis.security.canonical import render
from aegis.security.manifest_tools.words import Unreadable, shown

NAME: Final = "kubesec"
LOW_SCORE: Final = "ScoreBelowMinimum"

_SCORED: Final = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet"})
_OBJECT: Final = re.compile(r"[^/]*/aegis-([0-9]{1,9})\.")
_UNSUPPORTED: Final = "not supported"
_NO_SCHEMA: Final = "could not find schema"
_REFERENCE: Final = "https://kubesec.io/basics/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What Kubesec is asked.

    Attributes:
        refs: the objects that bear a pod, in order.
        text: the YAML stream; the object at `refs[n]` is called `aegis-n` in it.
    """

    refs: tuple[ObjectRef, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of Kubesec that had something to say."""

    id: str
    selector: str
    reason: str
    points: int

    def to_dict(self) -> JsonObject:
        """As Kubesec writes it."""
        return {"id": self.id, "selector": self.selector, "reason": self.reason, "points": self.points}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Kubesec says of one object.

    Attributes:
        ref: which.
        score: the sum of points; good ones outweigh bad ones, so it alone clears nothing.
        critical: what it holds to be dangerous.
        advise: what would give points.
        trouble: why it was not scored; empty where it was.
    """

    ref: ObjectRef
    score: int
    critical: tuple[Rule, ...]
    advise: tuple[Rule, ...]
    trouble: str = ""

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "object": str(self.ref),
            "score": self.score,
            "critical": [rule.to_dict() for rule in self.critical],
            "advise": [rule.to_dict() for rule in self.advise],
            "trouble": self.trouble,
        }


# ── the question ─────────────────────────────────────────────────────────────────────────────────────────────────────


def question(objects: Sequence[Json]) -> Question:
    """Everything that bears a pod, as Kubesec can score it; the rest is left out."""
    bearers = [(obj, template) for obj in objects if (template := template_of(obj)) is not None]
    pages = [render(_posed(obj, template, f"aegis-{number}")) for number, (obj, template) in enumerate(bearers)]
    return Question(refs=tuple(ObjectRef.of(obj) for obj, _ in bearers), text="---\n".join(pages))


def _posed(obj: Json, template: Json, name: str) -> JsonObject:
    """The object under another name and in no namespace; its pod alone, where Kubesec does not know the kind."""
    known = obj.get("kind") in _SCORED
    source = obj if known else template
    metadata = source.get("metadata")
    kept = {key: metadata[key] for key in ("annotations", "labels") if isinstance(metadata, dict) and metadata.get(key)}
    head = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")} if known else _POD
    return {**head, "metadata": {"name": name, **kept}, "spec": source["spec"]}


_POD: Final = {"apiVersion": "v1", "kind": "Pod"}


# ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def verdicts(answer: bytes, asked: Question) -> tuple[Verdict, ...]:
    """What is said of each object, in the order of the question; those not mentioned are left out.

    Raises:
        Unreadable: if it is no report of Kubesec, or speaks of what it was not asked, or twice of the same.
    """
    found: dict[int, Verdict] = {}
    for item in _elements(answer):
        match = _OBJECT.match(str(item.get("object")))
        number = int(match[1]) if match else -1
        if not 0 <= number < len(asked.refs):
            raise Unreadable(f"it speaks of an object that it was not asked about: {shown(item.get('object'))}")
        if number in found:
            raise Unreadable(f"it speaks twice of {asked.refs[number]}")
        found[number] = _verdict(item, asked.refs[number])
    return tuple(found[number] for number in sorted(found))


def findings(verdict: Verdict, *, least: int) -> Iterable[SecurityFinding]:
    """What is wrong with an object: each critical rule, and a score that is too low.

    Args:
        verdict: what Kubesec said.
        least: the lowest score that passes.
    """
    faults = [(rule.id, _severity(rule.points), rule.reason, rule.selector) for rule in verdict.critical]
    if verdict.score < least:
        gain = "; ".join(rule.reason for rule in verdict.advise[:3])
        faults.append((LOW_SCORE, Severity.HIGH, f"A score below {least}", f"It is {verdict.score}. {gain}".strip()))
    for rule_id, severity, title, description in faults:
        yield SecurityFinding(
            source=NAME,
            rule_id=rule_id,
            severity=severity,
            title=title,
            description=description,
            subject=verdict.ref,
            reference=_REFERENCE,
        )


def _elements(answer: bytes) -> list[JsonObject]:
    if not answer.strip():
        raise Unreadable("it wrote nothing")
    try:
        read = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it wrote no JSON: {shown(answer)}") from error
    if not isinstance(read, list) or not all(isinstance(item, dict) for item in read):
        raise Unreadable(f"it wrote no list of reports: {shown(answer)}")
    return read


def _verdict(item: JsonObject, ref: ObjectRef) -> Verdict:
    score, scoring = item.get("score"), item.get("scoring")
    if not _is_int(score) or not isinstance(scoring or {}, dict):
        raise Unreadable(f"its report of {ref} has no score")
    scoring = scoring or {}
    return Verdict(
        ref=ref,
        score=score,
        critical=_rules(scoring.get("critical")),
        advise=_rules(scoring.get("advise")),
        trouble=_trouble(item, scored=any(scoring.values())),
    )


def _trouble(item: JsonObject, *, scored: bool) -> str:
    """Why an object was not scored: an answer in which no rule had anything to say is none."""
    message = shown(item.get("message") or "")
    if _NO_SCHEMA in message:
        return f"{message}; give it the schemas of this cluster (SCHEMA_LOCATION)"
    if item.get("valid") is not True:
        return message or "it holds the object to be invalid"
    if _UNSUPPORTED in message or not scored:
        return message or "no rule of it looked at the object"
    return ""


def _rules(value: Any) -> tuple[Rule, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Unreadable("its scoring is no list")
    return tuple(_rule(item) for item in value)


def _rule(item: Any) -> Rule:
    if not isinstance(item, Mapping) or not item.get("id") or not _is_int(item.get("points")):
        raise Unreadable(f"its scoring holds what is no rule: {shown(item)}")
    return Rule(
        id=shown(item["id"], 80),
        selector=shown(item.get("selector") or ""),
        reason=shown(item.get("reason") or item["id"], 400),
        points=item["points"],
    )


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _severity(points: int) -> Severity:
    """By the points that are taken off: 30 and 9 for what opens the node, 7 for a way to root, less for what helps."""
    if points <= -9:  # noqa: PLR2004 - as Kubesec weighs
        return Severity.CRITICAL
    return Severity.HIGH if points <= -7 else Severity.MEDIUM  # noqa: PLR2004
