"""The arms' namespaces: bounded, few, and gone afterwards, whatever happens."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.errors import Conflict, Refused, Unavailable
from aegis.model.refs import ObjectRef
from aegis.shadow.namespace import (
    Remains,
    Shadow,
    arms,
    expiry,
    fence,
    is_expired,
    namespace_object,
    rivals,
    sweep,
    workload_label,
)
from aegis.shadow.tools import TrialTools

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def target(name: str = "web") -> ObjectRef:
    return ObjectRef(api_version="apps/v1", kind="Deployment", name=name, namespace="shop")


def shadow(name: str = "a1", workload: str = "web") -> Shadow:
    expires = datetime.now(UTC) + timedelta(hours=1)
    return Shadow(id=name, incident=f"inc-{name}", target=target(workload), expires_at=expires)


def test_an_arm_says_whose_it_is_and_until_when() -> None:
    made = namespace_object(replace(shadow(), expires_at=NOW), "r")
    assert made["metadata"]["name"] == "aegis-shadow-a1-r"
    assert made["metadata"]["labels"]["aegis.io/incident"] == "inc-a1"
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/warn"] == "restricted"
    assert made["metadata"]["annotations"]["aegis.io/expires-at"] == "2026-01-01T00:00:00Z"
    assert len(workload_label(target("x" * 200))) <= 63


def test_the_fence_denies_and_then_allows_dns_and_the_arm_itself() -> None:
    objects = fence("ns", pods=40, limit_range=True)
    kinds = [obj["kind"] for obj in objects]
    assert kinds == ["ResourceQuota", "NetworkPolicy", "NetworkPolicy", "NetworkPolicy", "LimitRange"]
    deny, within, dns = (obj["spec"] for obj in objects if obj["kind"] == "NetworkPolicy")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}
    assert within["egress"] == [{"to": [{"podSelector": {}}]}]
    assert {port["port"] for port in dns["egress"][0]["ports"]} == {53}
    assert "ingress" not in dns
    assert [obj["kind"] for obj in fence("ns", pods=1, limit_range=False)][-1] == "NetworkPolicy"


def test_a_trial_has_an_end() -> None:
    assert expiry(NOW, longest=600) == NOW + timedelta(minutes=35)
    assert expiry(NOW, longest=1e6) == NOW + timedelta(hours=2)


def aged(name: str, second: int, workload: str = "web") -> dict[str, Any]:
    made = namespace_object(shadow(name, workload), "r")
    made["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:{second:02d}Z"
    return made


def test_whoever_is_not_younger_comes_first_so_that_two_never_both_win() -> None:
    mine, older, same, younger = aged("m", 10), aged("o", 9), aged("s", 10), aged("y", 11)
    found = rivals(mine, [mine, older, same, younger])
    assert [one["metadata"]["labels"]["aegis.io/shadow"] for one in found] == ["o", "s"]
    assert rivals(same, [mine, same])
    assert rivals(mine, [mine, same])


async def test_arms_come_and_go(fake: Any, tools: TrialTools) -> None:
    async with arms(shadow(), ["r", "c"], tools):
        names = [one["metadata"]["name"] for one in await fake.list("v1", "Namespace")]
        assert names == ["aegis-shadow-a1-r", "aegis-shadow-a1-c"]
    assert await fake.list("v1", "Namespace") == []
    assert [call[3] for call in fake.calls if call[0] == "delete"] == ["aegis-shadow-a1-c", "aegis-shadow-a1-r"]


async def test_what_an_earlier_attempt_left_is_removed_first(fake: Any, tools: TrialTools) -> None:
    fake.put(namespace_object(shadow(), "c"))
    async with arms(shadow(), ["r", "c"], tools):
        assert len(await fake.list("v1", "Namespace")) == 2


@pytest.mark.parametrize("labels", [{}, {"aegis.io/created-by": "aegis", "aegis.io/shadow": "a1"}])
@pytest.mark.parametrize("arm", ["r", "c"])
async def test_somebody_elses_namespace_of_that_name_is_left_alone(
    fake: Any, tools: TrialTools, arm: str, labels: dict[str, str]
) -> None:
    theirs = f"aegis-shadow-a1-{arm}"
    fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": theirs, "labels": labels}})
    with pytest.raises(Conflict):
        async with arms(shadow(), ["r", "c"], tools):
            pass
    assert [one["metadata"]["name"] for one in await fake.list("v1", "Namespace")] == [theirs]


async def test_only_the_namespace_that_was_looked_at_is_deleted(fake: Any, tools: TrialTools) -> None:
    async with arms(shadow(), ["r", "c"], tools):
        uids = {one["metadata"]["uid"] for one in await fake.list("v1", "Namespace")}
    assert set(fake.uids) == uids


async def test_one_whose_uid_is_another_by_then_is_not_waited_for(
    fake: Any, tools: TrialTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replaced(ref: ObjectRef, *_: Any, **__: Any) -> None:
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.name}})
        raise Conflict(f"{ref} has another uid")

    monkeypatch.setattr(fake, "delete", replaced)
    async with arms(shadow(), ["r"], tools):
        pass
    assert len(await fake.list("v1", "Namespace")) == 1


async def test_one_trial_a_workload(fake: Any, tools: TrialTools) -> None:
    fake.put(namespace_object(shadow("b2"), "r"))
    with pytest.raises(Refused, match="being tried already"):
        async with arms(shadow(), ["r", "c"], tools):
            pass
    assert [one["metadata"]["name"] for one in await fake.list("v1", "Namespace")] == ["aegis-shadow-b2-r"]


async def test_three_trials_a_cluster(fake: Any, tools: TrialTools) -> None:
    for number in range(3):
        fake.put(namespace_object(shadow(f"b{number}", f"other-{number}"), "r"))
        fake.put(namespace_object(shadow(f"b{number}", f"other-{number}"), "c"))
    with pytest.raises(Unavailable, match="all 3 shadows"):
        async with arms(shadow(), ["r", "c"], tools):
            pass
    assert len(await fake.list("v1", "Namespace")) == 6


async def test_a_failure_within_takes_the_arms_down(fake: Any, tools: TrialTools) -> None:
    with pytest.raises(KeyError):
        async with arms(shadow(), ["r", "c"], tools):
            raise KeyError
    assert await fake.list("v1", "Namespace") == []


async def test_cancelling_takes_the_arms_down_too(fake: Any, tools: TrialTools) -> None:
    inside = asyncio.Event()

    async def trial() -> None:
        async with arms(shadow(), ["r", "c"], tools):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(trial())
    await inside.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await fake.list("v1", "Namespace") == []


async def test_a_namespace_that_does_not_go_is_said(fake: Any, tools: TrialTools) -> None:
    fake.stuck.add("aegis-shadow-a1-c")
    with pytest.raises(Remains, match="aegis-shadow-a1-c"):
        async with arms(shadow(), ["r", "c"], replace(tools, limits=replace(tools.limits, deletion_seconds=0.3))):
            pass


async def test_the_sweep_takes_what_nobody_will_and_nothing_else(fake: Any, tools: TrialTools) -> None:
    for name in ("mine-old", "mine", "foreign", "foreign-late"):
        made = namespace_object(shadow(name), "r")
        made["metadata"]["creationTimestamp"] = NOW.isoformat()
        late = NOW if name == "foreign-late" else NOW + timedelta(hours=1)
        made["metadata"]["annotations"]["aegis.io/expires-at"] = late.isoformat()
        fake.put(made)
    fake.put({
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"aegis.io/created-by": "aegis", "aegis.io/shadow": "x"}},
    })
    known = {"inc-mine-old": "newer", "inc-mine": "mine"}
    gone = await sweep(fake, fake, known, now=NOW + timedelta(minutes=1))
    assert sorted(gone) == ["aegis-shadow-foreign-late-r", "aegis-shadow-mine-old-r"]


@pytest.mark.parametrize(
    ("stated", "hours", "expected"),
    [("soon", 1, False), ("soon", 3, True), ("2026-01-01T01:00:00Z", 2, True), ("", 1, False)],
)
def test_one_that_does_not_say_when_is_judged_by_its_age(stated: str, hours: int, expected: bool) -> None:
    made = namespace_object(shadow(), "r")
    made["metadata"] |= {"annotations": {"aegis.io/expires-at": stated}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert is_expired(made, NOW + timedelta(hours=hours)) is expected
