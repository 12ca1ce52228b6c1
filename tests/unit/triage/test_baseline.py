"""A baseline vouches for what it names, and for nothing that is not told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from falco_story import DROPPED, PACKAGES, alert

from aegis.errors import UsageError
from aegis.triage.baseline import expired, read, shipped, vouching

TODAY = date(2026, 11, 21)
ENTRY = """
baseline:
  - rule: Read sensitive file untrusted
    because: the backup reads the users
    namespaces: [data]
    workloads: ["postgres*"]
    images: [docker.io/library/postgres]
    processes: [cat]
    owner: platform
    expires: 2027-01-31
"""
GOOD: dict[str, Any] = {"namespace": "data", "pod": "postgres-0", "image": "docker.io/library/postgres", "name": "cat"}


def test_an_entry_vouches_only_if_all_of_it_holds() -> None:
    (entry,) = read(ENTRY, "team.yaml")
    rule = "Read sensitive file untrusted"
    assert entry.vouches_for(alert(rule, **GOOD), TODAY)
    assert not entry.vouches_for(alert("Write below etc", **GOOD), TODAY)
    for other in ({"namespace": "shop"}, {"pod": "web-0"}, {"image": "evil"}, {"name": "tac"}, {"namespace": None}):
        assert not entry.vouches_for(alert(rule, **{**GOOD, **other}), TODAY), other
    assert not entry.vouches_for(alert(rule, **GOOD), date(2027, 1, 31))
    assert expired([entry], date(2027, 1, 31)) == (entry,)


def test_a_value_that_was_altered_is_vouched_for_by_nobody() -> None:
    (entry,) = read(ENTRY.replace("[cat]", '["*a*"]'), "team.yaml")
    assert entry.vouches_for(alert("Read sensitive file untrusted", **{**GOOD, "name": "cat"}), TODAY)
    broken = {**GOOD, "name": "ca\N{REPLACEMENT CHARACTER}"}
    assert not entry.vouches_for(alert("Read sensitive file untrusted", **broken), TODAY)


def test_what_comes_with_aegis_knows_seed_noise() -> None:
    entries = shipped()
    argo: dict[str, Any] = {
        "namespace": "argocd",
        "pod": "argocd-application-controller-0",
        "image": "quay.io/argoproj/argocd",
    }
    assert vouching(entries, alert("Contact K8S API Server From Container", name="argocd-applicat", **argo), TODAY)
    strange = {**argo, "image": "evil.example/argoproj/argocd"}
    assert not vouching(
        entries, alert("Contact K8S API Server From Container", name="argocd-applicat", **strange), TODAY
    )
    assert vouching(entries, alert(PACKAGES, name="apk"), TODAY)
    assert vouching(entries, alert(DROPPED, name="sqlite3"), TODAY)
    assert not vouching(entries, alert(DROPPED, name="x", path="/tmp/x"), TODAY)
    assert not vouching(entries, alert("Read sensitive file untrusted"), TODAY)


def test_a_teams_entry_comes_before_ours() -> None:
    own = read("- {rule: " + PACKAGES + ", because: b, namespaces: [ci], processes: [apk]}", "team.yaml")
    found = vouching([*shipped(), *own], alert(PACKAGES, name="apk"), TODAY)
    assert found is not None
    assert found.origin == "team.yaml"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("baseline: 3", "is no baseline"),
        ("a: [", "is no YAML"),
        ("- x", "is no mapping"),
        ("- {rule: r, because: b, namespaces: [a], processes: [b], command: rm}", "unknown key 'command'"),
        ("- {because: b, namespaces: [a], processes: [b]}", "rule is missing"),
        ("- {rule: r, namespaces: [a], processes: [b]}", "because is missing"),
        ("- {rule: r, because: b}", "vouches for too much"),
        ("- {rule: r, because: b, namespaces: [a]}", "vouches for too much"),
        ("- {rule: r, because: b, namespaces: ['*'], processes: [b]}", "vouches for too much"),
        ("- {rule: r, because: b, namespaces: [a], processes: ['?*']}", "vouches for too much"),
        ("- {rule: r, because: b, namespaces: a, processes: [b]}", "no list of patterns"),
        ("- {rule: r, because: b, namespaces: [a], processes: [b], mend: mute}", "mend is 'mute'"),
        ("- {rule: r, because: b, namespaces: [a], processes: [b], recurring: often}", "neither true nor false"),
        ("- {rule: r, because: b, namespaces: [a], processes: [b], expires: soon}", "expires is 'soon'"),
        ("!!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_what_is_no_baseline_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(text, "team.yaml")


def test_an_empty_file_says_nothing() -> None:
    assert read("", "team.yaml") == ()
    assert read("baseline:\n", "team.yaml") == ()
