"""Semgrep's report: what matched where, and proof that every file was looked at by every rule. Pure.

Source: the JSON of `semgrep scan` 1.182: `{version, results: [{check_id, path, start, end, extra}], errors: [{level, type,
message, path}], paths: {scanned}}`. Its exit status is 0 whether or not it found anything or could read a file; a file
whose time was up is in `paths.scanned` all the same and has an error of level `warn`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aegis.model.refs import JsonObject
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.manifest_tools.material import Sheet
from aegis.security.manifest_tools.words import Unreadable, shown

NAME: Final = "semgrep"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCard:
    """What one rule of ours says, by its own file.

    Attributes:
        id: as `k8s-privileged`.
        severity: how bad.
        title: the first sentence of its message.
        message: what is wrong and what to do.
        cwe: the weakness, as `CWE-250: …`.
        reference: a page to read.
        absent: whether what is at fault is lacking beside what matched.
    """

    id: str
    severity: Severity
    title: str
    message: str
    cwe: str
    reference: str
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One match.

    Attributes:
        rule: id of the rule.
        path: the file.
        line: of its begin, from 1.
        column: the same.
        end_line: of its end.
        end_column: the same.
    """

    rule: str
    path: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What Semgrep says.

    Attributes:
        version: its own.
        matches: what it found.
        scanned: the files that it looked at, and had no trouble with.
        troubles: what it had trouble with, in words, by file; under the empty name what concerns no file.
    """

    version: str
    matches: tuple[Match, ...]
    scanned: frozenset[str]
    troubles: Mapping[str, str]


def cards(rules: Mapping[str, Any]) -> tuple[RuleCard, ...]:
    """The rules of one file."""
    return tuple(
        RuleCard(
            id=rule["id"],
            severity=Severity.of(rule["severity"]),
            title=rule["message"].partition(". ")[0].rstrip("."),
            message=rule["message"],
            cwe=rule["metadata"]["cwe"],
            reference=rule["metadata"]["reference"],
            absent=rule["metadata"].get("absent", False),
        )
        for rule in rules["rules"]
    )


def read_report(answer: bytes) -> Report:
    """Read what Semgrep wrote.

    Raises:
        Unreadable: if it is no report.
    """
    if not answer.strip():
        raise Unreadable("it wrote nothing")
    try:
        said = json.loads(answer)
        return Report(
            version=shown(said["version"], 40),
            matches=tuple(_match(item) for item in said["results"]),
            scanned=frozenset(str(path) for path in said["paths"]["scanned"])
            - {_path(item) for item in said["errors"]},
            troubles={_path(item): _trouble(item) for item in said["errors"]},
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it wrote no JSON: {shown(answer)}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"its JSON is no report of Semgrep: {shown(error)} is missing or wrong") from error


def findings(
    matches: Sequence[Match], sheets: Mapping[str, Sheet], rules: Mapping[str, RuleCard]
) -> Iterator[SecurityFinding]:
    """The matches as findings; each place counts once for each rule.

    Raises:
        Unreadable: if a match names a file or a rule that is none of ours.
    """
    seen: set[tuple[str, ...]] = set()
    for match in sorted(matches, key=lambda one: (one.path, one.line, one.column, one.rule)):
        if match.path not in sheets or match.rule not in rules:
            raise Unreadable(f"it found {shown(match.rule)} in {shown(match.path)}, which it was not given")
        finding = _finding(match, sheets[match.path], rules[match.rule])
        key = (finding.rule_id, str(finding.subject), finding.location, finding.file)
        if key not in seen:
            seen.add(key)
            yield finding


def _finding(match: Match, sheet: Sheet, rule: RuleCard) -> SecurityFinding:
    place = sheet.place(match.line, match.end_line, _matched(match, sheet.text))
    location = place.location.rpartition(".")[0] if rule.absent else place.location
    text = f"{rule.message} ({rule.cwe})"
    return SecurityFinding(
        source=NAME,
        rule_id=rule.id,
        severity=rule.severity,
        title=rule.title,
        description=f"{location}: {text}" if location else text,
        subject=sheet.subject,
        location=location,
        reference=rule.reference,
        category=Category.CONFIG,
        file=sheet.file,
        line=place.line,
    )


def _matched(match: Match, text: str) -> str:
    lines = _lines(text)[match.line - 1 : match.end_line]
    if len(lines) == 1:
        return lines[0][max(0, match.column - 1) : max(1, match.end_column - 1)]
    return "\n".join(lines)


@lru_cache(maxsize=1)  # matches come file by file, and there may be many
def _lines(text: str) -> list[str]:
    return text.splitlines()


def _match(item: Mapping[str, Any]) -> Match:
    start, end = item["start"], item["end"]
    return Match(
        rule=str(item["check_id"]),
        path=str(item["path"]),
        line=int(start["line"]),
        column=int(start["col"]),
        end_line=int(end["line"]),
        end_column=int(end["col"]),
    )


def _path(error: Mapping[str, Any]) -> str:
    return str(error.get("path") or "")


def _trouble(error: JsonObject) -> str:
    return shown(error.get("message") or error.get("long_msg") or error.get("type") or "an error without words")
