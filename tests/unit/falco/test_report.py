"""A replay and a proposal as documents."""

from __future__ import annotations

import json

from aegis.falco.alert import parse_alert
from aegis.falco.exceptions import Proposal, Scope
from aegis.falco.replay import Replay, Unmasked
from aegis.falco.report import proposal_fields, replay_fields, scope_fields


def test_a_replay() -> None:
    alert = parse_alert('{"rule": "r", "output": "o", "priority": "Notice", "output_fields": {}}')
    assert alert is not None
    unmasked = Unmasked(rule="r", by="s", certain=(0,), possible=())
    missing = {"r": {"a.b": 2, "a.a": 2, "c.c": 3}}
    found = Replay(alerts=1, suppressed=(0,), kept=(), unknown=(), unmasked=(unmasked,), missing=missing)
    fields = replay_fields(found, [alert], with_ids=True)
    assert fields["missing_fields"] == ["c.c", "a.a", "a.b"]
    assert fields["unmasked_by"] == [{"rule": "r", "by": "s", "certain": 1, "possible": 0}]
    assert fields["ids"]["suppressed"] == fields["ids"]["unmasked"]
    assert fields["rules"][0]["suppressed"] == 1
    assert json.loads(json.dumps(fields)) == fields


def test_a_refusal() -> None:
    fields = proposal_fields(Proposal(refused="no"), None)
    assert fields == {"exception_yaml": None, "scope": None, "proof": None, "refused": "no", "notes": []}


def test_a_scope() -> None:
    scope = Scope(rule="r", form="condition", name="", fields=("a",), values=(("b",),))
    assert scope_fields(scope)["values"] == [["b"]]
    assert scope_fields(scope)["expires"] is None
