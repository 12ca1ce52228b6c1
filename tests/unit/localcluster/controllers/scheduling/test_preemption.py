"""Who has to go for a more important pod."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.scheduling.decision import Placed, place
from aegis.localcluster.controllers.scheduling.preemption import ineligible, preempt, priority
from aegis.localcluster.controllers.scheduling.snapshot import Snapshot


def node(name: str, cpu: int = 4) -> Object:
    room = {"cpu": str(cpu), "pods": "50"}
    return {"metadata": {"name": name, "labels": {}}, "spec": {}, "status": {"allocatable": room}}


def pod(name: str, cpu: int = 1, important: int = 0, where: str = "", **more: Any) -> Object:
    container = {"name": "c", "resources": {"requests": {"cpu": str(cpu)}}}
    metadata = {"name": name, "namespace": "d", "labels": {"app": name}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"containers": [container], "priority": important, **({"nodeName": where} if where else {}), **more}
    return {"metadata": metadata, "spec": spec, "status": {}}


def names(found: Any) -> list[str]:
    return [v["metadata"]["name"] for v in found.victims] if found else []


def made(pods: list[Object], *nodes: Object) -> Snapshot:
    return Snapshot.of(nodes or (node("n1"),), pods)


def test_only_as_many_as_needed_and_the_least_important() -> None:
    seen = made([pod("a", 2, 1, "n1"), pod("b", 1, 2, "n1"), pod("c", 1, 3, "n1")])
    assert names(preempt(pod("new", 2, 9), seen, ["n1"], [])) == ["a"]
    assert names(preempt(pod("new", 3, 9), seen, ["n1"], [])) == ["b", "a"]
    assert names(preempt(pod("new", 4, 9), seen, ["n1"], [])) == ["c", "b", "a"]


def test_equals_and_betters_stay() -> None:
    seen = made([pod("a", 4, 9, "n1")])
    assert preempt(pod("new", 1, 9), seen, ["n1"], []) is None
    assert preempt(pod("new", 5, 10), seen, ["n1"], []) is None


def test_the_node_where_the_least_is_lost() -> None:
    one, two = node("n1"), node("n2")
    seen = made([pod("a", 4, 5, "n1"), pod("b", 4, 3, "n2")], one, two)
    found = preempt(pod("new", 2, 9), seen, ["n1", "n2"], [])
    assert found is not None
    assert (found.node, names(found)) == ("n2", ["b"])


def test_budgets_are_kept_where_that_is_possible() -> None:
    seen = made([pod("a", 2, 1, "n1"), pod("b", 2, 2, "n1")])
    budget = {
        "metadata": {"name": "x", "namespace": "d"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}},
        "status": {"disruptionsAllowed": 0},
    }
    assert names(preempt(pod("new", 2, 9), seen, ["n1"], [budget])) == ["b"]
    both = preempt(pod("new", 4, 9), seen, ["n1"], [budget])
    assert (names(both), both.broken if both else 0) == (["b", "a"], 1)


def test_who_may_not() -> None:
    seen = made([])
    assert "preemptionPolicy=Never" in ineligible(pod("new", preemptionPolicy="Never"), seen)
    going = pod("old", where="n1")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    waiting = {**pod("new", important=9), "status": {"nominatedNodeName": "n1"}}
    assert "terminating pod on the nominated node" in ineligible(waiting, made([going]))
    assert not ineligible(waiting, made([]))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=6), st.integers(1, 4), st.integers(0, 10))
def test_without_the_victims_the_pod_fits_and_no_victim_is_spared_in_vain(
    rows: list[tuple[int, int]], cpu: int, important: int
) -> None:
    pods: list[Object] = []
    for number, (size, value) in enumerate(rows):
        if size + sum(int(p["spec"]["containers"][0]["resources"]["requests"]["cpu"]) for p in pods) <= 4:
            pods.append(pod(f"p{number}", size, value, "n1"))
    new = pod("new", cpu, important)
    if isinstance(place(new, made(pods)), Placed):
        return
    found = preempt(new, made(pods), ["n1"], [])
    lower = [p for p in pods if priority(p) < important]
    if found is None:
        rest = [p for p in pods if p not in lower]
        assert not isinstance(place(new, made(rest)), Placed)
        return
    rest = [p for p in pods if p not in found.victims]
    assert all(priority(v) < important for v in found.victims)
    assert isinstance(place(new, made(rest)), Placed)
    for victim in found.victims:
        assert not isinstance(place(new, made([*rest, victim])), Placed)
