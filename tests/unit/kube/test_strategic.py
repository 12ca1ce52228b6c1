import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.kube.patch import PatchError
from aegis.kube.strategic import strategic_patch

NAMES = st.sampled_from(["a", "b", "c", "d"])
ENVIRONMENT = st.lists(st.tuples(NAMES, st.sampled_from(["1", "2"])), unique_by=lambda e: e[0])


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def patched(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = strategic_patch("Deployment", target, patch)["spec"]["template"]["spec"]
    return result


def env(entries: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": n, "value": v} for n, v in entries]


@settings(deadline=None)
@given(before=ENVIRONMENT, changed=ENVIRONMENT, deleted=st.sets(NAMES))
def test_lists_merge_by_key_as_maps_do(
    before: list[tuple[str, str]], changed: list[tuple[str, str]], deleted: set[str]
) -> None:
    changed = [c for c in changed if c[0] not in deleted]
    target = deployment({"name": "c", "env": env(before)})
    entries: list[dict[str, str]] = [*env(changed), *({"name": n, "$patch": "delete"} for n in sorted(deleted))]
    original = copy.deepcopy(target)
    container = patched(target, deployment({"name": "c", "env": entries}))["containers"][0]
    expected = {k: v for k, v in {**dict(before), **dict(changed)}.items() if k not in deleted}
    assert {e["name"]: e["value"] for e in container["env"]} == expected
    assert target == original


@settings(deadline=None)
@given(before=st.permutations(["a", "b", "c", "d"]), order=st.permutations(["a", "b", "c", "d"]))
def test_set_element_order_orders(before: list[str], order: list[str]) -> None:
    target = deployment({"name": "c", "env": env([(n, "1") for n in before])})
    patch = deployment({"name": "c", "$setElementOrder/env": [{"name": n} for n in order]})
    names = [e["name"] for e in patched(target, patch)["containers"][0]["env"]]
    assert names == order


def test_items_the_server_added_stay_where_they_were_in_the_order() -> None:
    target = deployment({"name": "x"}, {"name": "sidecar"}, {"name": "y"})
    patch = deployment({"name": "y", "image": "i"}, {"name": "new", "image": "i"})
    patch["spec"]["template"]["spec"]["$setElementOrder/containers"] = [{"name": n} for n in ("x", "y", "new")]
    assert [c["name"] for c in patched(target, patch)["containers"]] == ["x", "sidecar", "y", "new"]


def test_an_item_deleted_and_another_changed_in_one_patch() -> None:
    target = deployment({"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "1"})
    patch = deployment({"name": "c", "image": "2"}, {"name": "b", "$patch": "delete"})
    assert patched(target, patch)["containers"] == [{"name": "a", "image": "1"}, {"name": "c", "image": "2"}]


def test_replace_in_a_list_and_in_a_map() -> None:
    target = deployment({"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"})
    listed = deployment({"$patch": "replace"}, {"name": "z"})
    assert patched(target, listed)["containers"] == [{"name": "z"}]
    mapped = deployment({"name": "a", "resources": {"$patch": "replace", "requests": {"cpu": "2"}}})
    assert patched(target, mapped)["containers"][0]["resources"] == {"requests": {"cpu": "2"}}


def test_retain_keys() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_patch("Deployment", target, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_volumes_change_their_source() -> None:
    target = deployment(volumes=[{"name": "v", "emptyDir": {}}])
    patch = deployment(volumes=[{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}])
    assert patched(target, patch)["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


def test_scalars_are_added_and_deleted() -> None:
    target = {"metadata": {"finalizers": ["a/x", "a/y"]}}
    patch = {"metadata": {"finalizers": ["a/z", "a/x"], "$deleteFromPrimitiveList/finalizers": ["a/y"]}}
    assert set(strategic_patch("Pod", target, patch)["metadata"]["finalizers"]) == {"a/x", "a/z"}


def test_atomic_lists_are_replaced() -> None:
    target = deployment({"name": "a", "args": ["1", "2"]})
    assert patched(target, deployment({"name": "a", "args": ["3"]}))["containers"][0]["args"] == ["3"]


def test_ports_merge_by_the_key_of_their_owner() -> None:
    service = {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}}
    merged = strategic_patch("Service", service, {"spec": {"ports": [{"port": 81, "name": "c"}]}})
    assert {p["port"]: p["name"] for p in merged["spec"]["ports"]} == {80: "a", 81: "c"}
    pod = deployment({"name": "a", "ports": [{"containerPort": 80}]})
    assert len(patched(pod, deployment({"name": "a", "ports": [{"containerPort": 81}]}))["containers"][0]["ports"]) == 2


def test_nulls_remove_and_never_stay() -> None:
    assert strategic_patch("Pod", {"a": 1}, {"a": None, "b": {"c": None, "d": 1}}) == {"b": {"d": 1}}


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"$patch": "explode"}},
        deployment({"image": "no name"}),
        deployment({"$patch": "delete"}),
        deployment({"name": "a", "$patch": "merge-somehow"}),
        {"spec": {"$retainKeys": ["a"], "replicas": 1}},
        {"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
        {"spec": {"template": {"spec": {"$setElementOrder/containers": "a"}}}},
    ],
)
def test_patches_that_make_no_sense(patch: dict[str, Any]) -> None:
    target = {**deployment({"name": "a"}), "metadata": {"finalizers": ["a/x"]}}
    target["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(PatchError):
        strategic_patch("Deployment", target, patch)
