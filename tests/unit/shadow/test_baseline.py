"""When a third arm is worth its pods."""

from dataclasses import replace
from typing import Any

import pytest

from aegis.kube.pod_template import template_of
from aegis.model.changes import Apply, Change
from aegis.model.refs import ObjectRef
from aegis.shadow.baseline import Baseline, baseline
from aegis.shadow.clone import CloneOptions, Plan, plan
from aegis.shadow.survey import survey
from aegis.shadow.synthetic import Faker
from aegis.shadow.tools import TrialTools

TARGET = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def template(image: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "web", "image": image}]}
    return {"metadata": {"labels": {"app": "web", "pod-template-hash": image}}, "spec": spec}


def change(image: str) -> Change:
    spec = {"containers": [{"name": "web", "image": image}]}
    return Apply(target=TARGET, patch={"spec": {"template": {"spec": spec}}})


@pytest.fixture
def find(fake: Any, tools: TrialTools) -> Any:
    fake.put({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template("broken")},
    })

    async def run(*changes: Change, good: str = "") -> Baseline:
        known = replace(tools, last_good=lambda *_: (template(good), "ReplicaSet web-1") if good else None)
        production = await survey(known, TARGET, changes, None)

        def copy(found: Any, objects: Any) -> Plan:
            return plan(found, objects, Faker(b"k" * 32, []), CloneOptions())

        return await baseline(known, production, changes, copy)

    return run


async def test_the_last_good_revision_is_planned(find: Any) -> None:
    found = await find(change("mended"), good="old")
    assert found.source == "ReplicaSet web-1"
    (workload,) = found.plan.objects
    kept = template_of(workload)
    assert kept is not None
    assert kept["spec"]["containers"][0]["image"] == "old"
    assert kept["metadata"]["labels"] == {"app": "web"}


async def test_the_way_back_is_not_compared_with_itself(find: Any) -> None:
    found = await find(change("old"), good="old")
    assert (found.plan, found.absent) == (None, "the candidate is the last good revision")


async def test_nothing_is_known(find: Any) -> None:
    assert (await find(change("mended"))).absent == "no last good revision is known"


async def test_a_fix_that_changes_no_workload(find: Any) -> None:
    service = ObjectRef(api_version="v1", kind="Service", name="web", namespace="shop")
    found = await find(Apply(target=service, patch={}), good="old")
    assert found.absent == "the fix changes no workload of which revisions are kept"
