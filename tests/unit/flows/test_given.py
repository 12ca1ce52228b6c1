"""A given fix, checked in one place: what may be tried at all, and what may be applied."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.errors import NotFound, Refused, UsageError
from aegis.flows.given import checked_fix
from aegis.model.changes import Apply, Risk
from aegis.model.refs import JsonObject, ObjectRef

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


class Cluster:
    """A Deployment, and nothing else."""

    def __init__(self) -> None:
        container = {"name": "web", "image": "nginx:1", "livenessProbe": {"httpGet": {"path": "/", "port": 80}}}
        self.live: JsonObject = {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 3},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
        }  # fmt: skip

    @property
    def reader(self) -> Any:
        return self

    async def get(self, ref: ObjectRef) -> JsonObject:
        if ref != WEB:
            raise NotFound(str(ref))
        return self.live

    async def resolve(self, kind: str) -> ObjectRef:
        assert kind == "deploy"
        return ObjectRef(api_version="apps/v1", kind="Deployment", name="", namespace="")

    async def list(self, *_: str, **__: str) -> list[JsonObject]:
        return []


def change(patch: JsonObject, target: ObjectRef = WEB) -> Apply:
    return Apply(target=target, patch=patch)


PRIVILEGED = {"template": {"spec": {"containers": [{"name": "web", "securityContext": {"privileged": True}}]}}}


async def test_it_is_bound_to_what_its_object_holds_now() -> None:
    short = ObjectRef(api_version="", kind="deploy", name="web", namespace="shop")
    fix = await checked_fix(Cluster(), [change({"spec": {"replicas": 2}}, short)], "shop")
    assert fix.change_set is not None
    assert (fix.change_set.target, fix.change_set.target_uid, fix.change_set.base_generation) == (WEB, "u", 3)
    assert fix.risk is Risk.MEDIUM


async def test_values_that_nothing_explains_need_a_person() -> None:
    env = {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "from nowhere"}]}]}}}
    assert (await checked_fix(Cluster(), [change({"spec": env})], "shop")).needs == "human"


async def test_what_no_fix_may_do_is_refused_where_it_is_to_be_applied_and_tried_where_it_is_not() -> None:
    with pytest.raises(Refused, match="not permitted"):
        await checked_fix(Cluster(), [change({"spec": PRIVILEGED})], "shop")
    fix = await checked_fix(Cluster(), [change({"spec": PRIVILEGED})], "shop", only_tried=True)
    assert fix.change_set is not None, "the trial says what is wrong with it"


@pytest.mark.parametrize("only_tried", [True, False])
async def test_what_no_trial_can_try_is_always_refused(only_tried: bool) -> None:
    role = ObjectRef(api_version="rbac.authorization.k8s.io/v1", kind="Role", name="r", namespace="shop")
    with pytest.raises(Refused, match="access rights"):
        await checked_fix(Cluster(), [change({}, role)], "shop", only_tried=only_tried)
    with pytest.raises(UsageError, match="outside the namespace other"):
        await checked_fix(Cluster(), [change({})], "other", only_tried=only_tried)
    missing = ObjectRef(api_version="v1", kind="ConfigMap", name="c", namespace="shop")
    with pytest.raises(NotFound, match="which is not there"):
        await checked_fix(Cluster(), [change({}, missing)], "shop", only_tried=only_tried)
    with pytest.raises(UsageError, match="at least one object"):
        await checked_fix(Cluster(), [], "shop", only_tried=only_tried)
