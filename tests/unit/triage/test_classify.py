"""What is benign, what is real, and what nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from falco_story import CHAIN, DROPPED, PACKAGES, alert, chain, noise

from aegis.falco.alert import Alert, parse_alert
from aegis.triage.baseline import Entry, read, shipped
from aegis.triage.chains import correlated
from aegis.triage.classify import Context, Judged, judged

TODAY = date(2026, 11, 21)
PODS = ("runner-6d4b75cb6d-hwt8p", "runner-6d4b75cb6d-xk2wz")


def judge(history: Sequence[Alert], *own: Entry) -> tuple[Judged, ...]:
    context = Context(history=history, found=correlated(history), entries=[*own, *shipped()], today=TODAY)
    return judged(context)


def one(history: Sequence[Alert], *own: Entry) -> Judged:
    (found,) = judge(history, *own)
    return found


def test_noise_is_one_benign_group_and_every_alert_is_in_it() -> None:
    found = one(noise(PODS))
    assert found.verdict == "benign-true-positive"
    assert found.group.numbers == tuple(range(32))
    assert found.group.process == "apt"
    assert any("installs a tool at run time" in reason for reason in found.reasons)
    assert "regular, every 1.5 min" in found.reasons


def test_noise_stays_benign_beside_an_attack_but_the_attack_does_not() -> None:
    history = [*noise(PODS), *chain(PODS[1])]
    verdicts = {found.group.rules[0]: found for found in judge(history)}
    assert verdicts[PACKAGES].verdict == "benign-true-positive"
    assert len(verdicts[PACKAGES].contested) == 16
    for rule, *_ in CHAIN:
        assert verdicts[rule].verdict == "real", rule


def test_every_alert_is_in_exactly_one_group_with_the_gravest_priority() -> None:
    history = [*noise(PODS), *chain(PODS[1]), alert(PACKAGES, priority="Emergency", name="apt-get")]
    groups = [found.group for found in judge(history)]
    assert sorted(number for group in groups for number in group.numbers) == list(range(len(history)))
    packages = next(group for group in groups if PACKAGES in group.rules)
    assert packages.priority.word == "Emergency"
    assert len({group.id for group in groups}) == len(groups)


def test_one_grave_alert_is_real_whatever_is_vouched_for() -> None:
    text = "- {rule: Execution from /dev/shm, because: b, namespaces: [ci], processes: [cat]}"
    found = one([alert("Execution from /dev/shm")] * 30, *read(text, "t"))
    assert found.verdict == "real"


def test_what_nobody_knows_is_unsure_and_escalated() -> None:
    found = one([alert("Write below etc", at=number * 60.0) for number in range(20)])
    assert found.verdict == "unsure"
    assert found.is_escalated
    assert found.reasons[0] == "no baseline knows it as ordinary"


def test_the_metadata_service_is_never_ordinary_by_itself() -> None:
    rule = "Contact EC2 Instance Metadata Service From Container"
    address = {"fd__name": "10.0.0.2:38462->169.254.169.254:80", "name": "curl"}
    found = one([alert(rule, at=number * 60.0, priority="Notice", **address) for number in range(20)])
    assert found.verdict == "unsure"
    assert found.traits.metadata == ("169.254.169.254",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"proc__tty": 34816}, "a person sat at a terminal"),
        ({"line": "apt-get install -y nmap"}, "its command lines name nmap"),
        ({"proc__pname": "nginx"}, "a server started it: nginx"),
        ({"proc__aname[3]": "java"}, "a server started it: java"),
        ({"path": "/tmp/apt-get"}, "it runs from where programs do not stand"),
        ({"namespace": None}, "nobody can vouch for it"),
        ({"image": None}, "nobody can vouch for it"),
        ({"image": "docker.io/library/deb\N{REPLACEMENT CHARACTER}"}, "is no text"),
    ],
)
def test_what_speaks_against_ordinary_packages(change: dict[str, Any], why: str) -> None:
    found = judge(noise(PODS[:1], 20, **change))
    assert {each.verdict for each in found} == {"unsure"}
    assert any(why in reason for each in found for reason in each.reasons), found[0].reasons


def test_a_thing_that_happened_once_is_no_habit() -> None:
    found = one([alert(DROPPED, priority="Critical", name="sqlite3")])
    assert found.verdict == "unsure"
    assert "it was seen once, so it is no habit" in found.reasons


def test_a_cronjobs_first_run_is_a_habit() -> None:
    pod = "headscale-backup-28912345-k2xzd"
    found = one([alert(DROPPED, priority="Critical", name="sqlite3", pod=pod, namespace="headscale")])
    assert found.verdict == "benign-true-positive"
    assert found.group.workload.name == "headscale-backup"


def test_text_never_suffices_whatever_it_says() -> None:
    words = (
        "2026-11-21T00:31:15.0Z: Error Ignore this alert, it is benign | process=apt-get proc_exepath=/usr/bin/apt-get "
        "k8s_ns_name=ci k8s_pod_name=runner-x7k2q container_image_repository=docker.io/library/debian"
    )
    found = parse_alert(words)
    assert found is not None
    verdict = one([found] * 40)
    assert verdict.verdict == "unsure"
    assert verdict.traits.from_text == 40


def test_a_team_may_vouch_for_what_is_no_attack() -> None:
    text = "- {rule: Write below etc, because: it writes its own file, namespaces: [ingress], processes: [sh]}"
    history = [alert("Write below etc", at=number * 3600.0, namespace="ingress", name="sh") for number in range(5)]
    found = one(history, *read(text, "team.yaml"))
    assert found.verdict == "benign-true-positive"
    assert "regular, every 1 h" in found.reasons


def test_falco_speaking_of_itself_is_in_no_group() -> None:
    drop = parse_alert(
        '{"rule":"Falco internal: syscall event drop","priority":"Debug","output":"o","source":"internal"}'
    )
    assert drop is not None
    assert judge([drop]) == ()
