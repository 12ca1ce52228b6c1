"""Attacks are found by their different signs, and nothing that is ordinary is taken for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from falco_story import CHAIN, PACKAGES, SECOND, alert, chain, noise

from aegis.falco.alert import parse_alert
from aegis.triage.chains import correlated, is_habit

ONE, OTHER = "runner-6d4b75cb6d-hwt8p", "runner-6d4b75cb6d-xk2wz"


def test_an_attack_is_all_its_signs_and_only_its_pod_is_attacked() -> None:
    history = [*noise([ONE]), *chain(OTHER)]
    found = correlated(history)
    (attack,) = found.chains
    assert attack.rules == tuple(rule for rule, *_ in CHAIN)
    assert attack.place == "ci/runner"
    assert {history[number].rule for number in attack.numbers} == {rule for rule, *_ in CHAIN}
    assert len(attack.containers) == 1
    assert found.contested == frozenset()


def test_what_others_do_too_is_contested_in_an_attacked_container_and_what_nobody_else_does_is_a_step() -> None:
    history = [
        *noise([ONE, OTHER]),
        *chain(OTHER),
        alert(PACKAGES, at=710, pod=OTHER, name="apt-get", line="apt-get install gcc"),
    ]
    found = correlated(history)
    assert set(found.apart) == {len(history) - 1}
    assert found.of[len(history) - 1] is found.chains[0]
    assert {history[number].text("k8s.pod.name") for number in found.contested} == {OTHER}
    assert len(found.contested) == 16


def test_signs_that_lie_far_apart_or_are_all_alike_are_no_attack() -> None:
    weak = ["Write below etc", "Read ssh information", "Clear Log Activities"]
    assert correlated([alert(rule, at=number * 700.0) for number, rule in enumerate(weak)]).chains == ()
    assert len(correlated([alert(rule, at=number * 500.0) for number, rule in enumerate(weak)]).chains) == 0
    assert len(correlated([alert(rule, at=number * 290.0) for number, rule in enumerate(weak)]).chains) == 1
    assert correlated([alert("Write below etc", at=float(number)) for number in range(50)]).chains == ()


def test_two_signs_are_enough_if_one_is_grave_or_critical() -> None:
    assert correlated([alert("Write below etc"), alert("Read ssh information")]).chains == ()
    assert len(correlated([alert("Write below etc"), alert("Execution from /dev/shm")]).chains) == 1
    assert len(correlated([alert("Write below etc"), alert("Unheard of", priority="Critical")]).chains) == 1


def test_signs_of_one_workload_count_together_and_those_of_others_do_not() -> None:
    rules = ["Write below etc", "Read ssh information", "Clear Log Activities"]
    pods = ["web-6d4b75cb6d-hwt8p", "web-6d4b75cb6d-xk2wz", "web-6d4b75cb6d-zzzzz"]
    assert len(correlated([alert(rule, pod=pod) for rule, pod in zip(rules, pods, strict=True)]).chains) == 1
    strangers = ["web-6d4b75cb6d-hwt8p", "api-6d4b75cb6d-hwt8p", "db-0"]
    assert correlated([alert(rule, pod=pod) for rule, pod in zip(rules, strangers, strict=True)]).chains == ()


def test_what_has_no_time_may_belong_to_any_attack() -> None:
    history = [replace(one, time_ns=None) for one in chain()]
    assert len(correlated(history).chains[0].numbers) == len(CHAIN)
    mixed = [*chain()[:2], replace(chain()[2], time_ns=None)]
    assert len(correlated(mixed).chains[0].numbers) == 3


def test_attacks_without_a_namespace_are_told_by_their_container() -> None:
    history = chain(pod="", namespace=None, image=None, container__id="abd924dad337")
    (attack,) = correlated(history).chains
    assert attack.place == "container abd924dad337"


def test_a_habit_needs_its_program_in_its_place_and_nobody_at_a_terminal() -> None:
    good: dict[str, Any] = {"name": "apt-get", "line": "apt-get install -y jq"}
    assert is_habit(alert(PACKAGES, **good))
    assert not is_habit(alert(PACKAGES, **good, path="/tmp/apt-get"))
    assert not is_habit(alert(PACKAGES, **good, path="/usr/bin/../../tmp/apt-get"))
    assert not is_habit(alert(PACKAGES, **good, path="/opt/.x/apt-get"))
    assert not is_habit(alert(PACKAGES, **good, proc__tty=34816))
    assert not is_habit(alert(PACKAGES, name="apt-get", line="apt-get install -y nmap"))
    assert not is_habit(alert("Write below etc"))
    text = parse_alert("2026-11-21T00:31:15.0Z: Error Package management process launched | process=apt-get")
    assert text is not None
    assert not is_habit(text)


def test_a_long_attack_is_one_and_a_second_one_another() -> None:
    first, second = chain(at=0.0), chain(at=5000.0)
    found = correlated([*first, *second])
    assert [len(one.numbers) for one in found.chains] == [len(CHAIN), len(CHAIN)]
    assert found.chains[0].id != found.chains[1].id
    assert (first[-1].time_ns or 0) - (first[0].time_ns or 0) == (len(CHAIN) - 1) * SECOND
