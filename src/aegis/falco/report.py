"""A replay and a proposal as documents, for whoever prints or keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aegis.falco.alert import Alert
from aegis.falco.exceptions import Proposal, Scope
from aegis.falco.identity import identity
from aegis.falco.replay import Replay, append_output


def replay_fields(found: Replay, history: Sequence[Alert], *, with_ids: bool = False) -> dict[str, Any]:
    """What `kind: ReplayReport` holds; `with_ids` names the alerts too."""
    fields: dict[str, Any] = {
        "alerts": found.alerts,
        "suppressed": len(found.suppressed),
        "kept": len(found.kept),
        "unknown": len(found.unknown),
        "unmasked": len(found.unmasked_alerts),
        "perhaps_unmasked": len(found.perhaps_unmasked),
        "missing_fields": found.missing_fields,
        "altered_fields": sorted(found.altered),
        "without_rule": len(found.without_rule),
        "rules": _by_rule(found, history),
        "unmasked_by": _by_unmasking(found),
        "append_output": append_output(found),
        "seconds": round(found.seconds, 6),
    }
    if with_ids:
        groups = {
            "suppressed": found.suppressed,
            "kept": found.kept,
            "unknown": found.unknown,
            "unmasked": found.unmasked_alerts,
        }
        fields["ids"] = {name: [identity(history[number]) for number in numbers] for name, numbers in groups.items()}
    return fields


def proposal_fields(found: Proposal, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `kind: RuleException` holds; the proof is the document of its replay."""
    return {
        "exception_yaml": found.text or None,
        "scope": scope_fields(found.scope) if found.scope else None,
        "proof": proof,
        "refused": found.refused or None,
        "notes": list(found.notes),
    }


def scope_fields(scope: Scope) -> dict[str, Any]:
    """What an exception covers."""
    return {
        "rule": scope.rule,
        "form": scope.form,
        "name": scope.name or None,
        "fields": list(scope.fields),
        "values": [list(row) for row in scope.values],
        "owner": scope.owner or None,
        "expires": scope.expires.isoformat() if scope.expires else None,
    }


def _by_rule(found: Replay, history: Sequence[Alert]) -> list[dict[str, Any]]:
    counts = {
        "suppressed": _counted(history, found.suppressed),
        "kept": _counted(history, found.kept),
        "unknown": _counted(history, found.unknown),
    }
    names = sorted({alert.rule for alert in history})
    return [
        {
            "rule": name,
            **{outcome: count[name] for outcome, count in counts.items()},
            "missing_fields": sorted(found.missing.get(name, ())),
        }
        for name in names
    ]


def _counted(history: Sequence[Alert], numbers: Iterable[int]) -> Counter[str]:
    return Counter(history[number].rule for number in numbers)


def _by_unmasking(found: Replay) -> list[dict[str, Any]]:
    return [
        {"rule": one.rule, "by": one.by, "certain": len(one.certain), "possible": len(one.possible)}
        for one in found.unmasked
    ]
