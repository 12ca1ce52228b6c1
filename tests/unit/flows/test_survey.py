"""Everything that is wrong in a namespace or a cluster, in calls that do not grow with it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from aegis.errors import PermissionDenied, Unavailable
from aegis.flows.survey import Survey, Wanted, survey
from aegis.kube.selector import parse_selector
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import Cluster, ClusterReader, LogQuery

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CLUSTER = Cluster(uid="c", server="https://127.0.0.1", context="", version="v1.33.0")


class Holds:
    """Objects in memory, and a count of what was asked."""

    def __init__(self, objects: list[JsonObject], *, closed: dict[str, type[Exception]] | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self._objects = objects
        self._closed = closed or {}

    async def cluster(self) -> Cluster:
        return CLUSTER

    async def list(self, api_version: str, kind: str, *, namespace: str = "", **_: Any) -> list[JsonObject]:
        self.calls["list"] += 1
        if kind in self._closed:
            raise self._closed[kind](f"no {kind}s for you")
        return [
            dict(obj)
            for obj in self._objects
            if (obj["apiVersion"], obj["kind"]) == (api_version, kind)
            and namespace in {"", obj["metadata"]["namespace"]}
        ]

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        self.calls["logs"] += 1
        return f"Traceback\nKeyError: 'SETTING_OF_{pod.rpartition('-')[0].upper()}'\n"


def deployment(name: str, namespace: str, replicas: int, **labels: str) -> list[JsonObject]:
    """A Deployment with its ReplicaSet and pods, all of which keep crashing."""
    app = {"app": name}
    terminated = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-04T11:59:00Z"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    status = {"name": "app", "ready": False, "restartCount": 7, "state": waiting, "lastState": terminated, "image": "i"}
    spec = {"containers": [{"name": "app", "image": "i"}]}
    template = {"metadata": {"labels": app}, "spec": spec}

    def owned(by: str, owner: str) -> JsonObject:
        return {
            "ownerReferences": [{"kind": by, "name": owner, "controller": True, "uid": owner, "apiVersion": "apps/v1"}]
        }

    base = {"namespace": namespace, "labels": {**app, **labels}}
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**base, "name": f"{name}-1-{number}", **owned("ReplicaSet", f"{name}-1"), "labels": app},
            "spec": spec,
            "status": {
                "phase": "Running",
                "containerStatuses": [status],
                "conditions": [{"type": "Ready", "status": "False"}],
            },
        }
        for number in range(replicas)
    ]
    body = {"replicas": replicas, "selector": {"matchLabels": app}, "template": template}
    found = {"replicas": replicas, "readyReplicas": 0, "observedGeneration": 1}
    top: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**base, "name": name, "uid": name, "generation": 1},
    }
    middle: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {**base, "name": f"{name}-1", "uid": f"{name}-1", **owned("Deployment", name)},
    }
    return [{**one, "spec": body, "status": found} for one in (top, middle)] + pods


async def look(holds: Holds, wanted: Wanted, own: frozenset[str] = frozenset()) -> Survey:
    return await survey(cast("ClusterReader", holds), wanted, own=own, clock=lambda: NOW)


EVERYWHERE = Wanted(namespaces=())


async def test_five_hundred_pods_of_twenty_five_deployments_are_as_many_problems_in_bounded_calls() -> None:
    holds = Holds([obj for number in range(25) for obj in deployment(f"web{number:02}", f"ns{number % 5}", 20)])
    seen = await look(holds, EVERYWHERE)
    assert [one.target.kind for one in seen.found] == ["Deployment"] * 25
    assert len({one.target for one in seen.found}) == 25
    explained = sum("SETTING_OF_WEB" in one.explanation for one in seen.found)
    assert explained == 25, "the log of at least one pod of each Deployment was read"
    assert holds.calls["list"] <= 40
    assert holds.calls["logs"] <= 100


async def test_our_own_shadows_are_passed_over() -> None:
    holds = Holds(deployment("web", "aegis-shadow-1-s", 2) + deployment("web", "shop", 2))
    seen = await look(holds, EVERYWHERE, frozenset({"aegis-shadow-1-s"}))
    assert [one.target.namespace for one in seen.found] == ["shop"]
    inside = Wanted(namespaces=("aegis-shadow-1-s",))
    assert (await look(holds, inside, frozenset({"aegis-shadow-1-s"}))).found == ()
    named = Wanted(
        namespaces=(),
        targets=(ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="aegis-shadow-1-s"),),
    )
    [one] = (await look(holds, named, frozenset({"aegis-shadow-1-s"}))).found
    assert one.target.namespace == "aegis-shadow-1-s", "what is named is looked at"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(namespaces=(), kind="Deployment"), ["api", "web"]),
        (Wanted(namespaces=(), kind="Pod"), ["api", "web"]),
        (Wanted(namespaces=(), kind="Service"), []),
        (Wanted(namespaces=(), selector=parse_selector("app=web")), ["web"]),
        (Wanted(namespaces=(), selector=parse_selector("tier=back")), ["api"]),
        (Wanted(namespaces=(), selector=parse_selector("tier=back,app=web")), []),
        (Wanted(namespaces=("elsewhere",)), []),
    ],
)
async def test_only_what_is_wanted(wanted: Wanted, names: list[str]) -> None:
    holds = Holds(deployment("web", "shop", 1) + deployment("api", "shop", 1, tier="back"))
    assert sorted(one.target.name for one in (await look(holds, wanted)).found) == names


@pytest.mark.parametrize(("kind", "error"), [("Pod", PermissionDenied), ("Deployment", Unavailable)])
async def test_what_could_not_be_read_is_not_well(kind: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"no {kind}s for you"):
        await look(Holds([], closed={kind: error}), EVERYWHERE)


async def test_a_problem_is_told_although_not_everything_could_be_read() -> None:
    holds = Holds(deployment("web", "shop", 1), closed={"Node": PermissionDenied, "Service": PermissionDenied})
    seen = await look(holds, EVERYWHERE)
    assert [one.target.name for one in seen.found] == ["web"]
    assert any("Services" in line for line in seen.unread)
