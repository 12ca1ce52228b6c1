"""Whose fault: the cluster's, unless the fix touched what it comes from."""

from typing import Any

import pytest

from aegis.model.changes import Apply, Change, Delete, JsonPatch
from aegis.model.refs import ObjectRef
from aegis.model.symptom import Manner, Signature
from aegis.shadow.blame import blames, touches

REF = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def apply(**container: Any) -> Change:
    return Apply(target=REF, patch={"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}})


@pytest.mark.parametrize(
    ("manner", "change", "expected"),
    [
        (Manner.SCHEDULING, apply(env=[]), False),
        (Manner.SCHEDULING, apply(resources={"requests": {"cpu": "9"}}), True),
        (Manner.PULL, apply(env=[]), False),
        (Manner.PULL, apply(image="x"), True),
        (Manner.CONFIG, Apply(target=REF, patch={"spec": {"replicas": 3}}), False),
        (Manner.CONFIG, apply(envFrom=[]), True),
        (Manner.CRASH, apply(env=[]), True),
        (Manner.NOT_READY, apply(), True),
    ],
)
def test_blame(manner: Manner, change: Change, expected: bool) -> None:
    assert blames(Signature(manner=manner), [change]) is expected


def test_a_patch_touches_its_path_and_its_value_but_not_what_it_only_tests() -> None:
    operations = (
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/template/spec/containers/0", "value": {"image": "x"}},
        {"op": "remove", "path": "/spec/paused"},
    )
    found = touches([JsonPatch(target=REF, patch=operations), Delete(target=REF, uid="u")])
    assert {"containers", "image", "paused"} <= found
    assert "replicas" not in found
