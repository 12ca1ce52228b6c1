"""Server-side apply through the whole write path."""

from __future__ import annotations

from typing import Any

import pytest
from api_calls import Api, fresh_api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.localcluster.apiserver.applying import ApplyConflict
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.status import ApiError

MANAGERS = st.sampled_from(["m1", "m2", "m3"])
KEYS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.tuples(MANAGERS, st.dictionaries(KEYS, st.sampled_from(["1", "2"]), max_size=3)), min_size=1, max_size=8
)


def config_map(data: dict[str, str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    return {**body, "data": data} if data is not None else body


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_forced_applies_behave_as_a_map_of_owners(steps: list[tuple[str, dict[str, str]]]) -> None:
    """A model: who states a key owns it; a changed value drops other owners; what nobody owns any more goes."""
    api = fresh_api()
    data: dict[str, str] = {}
    owners: dict[str, set[str]] = {}
    for manager, stated in steps:
        result = api.apply("configmaps", config_map(stated), manager, force=True)
        for key in [k for k, held in owners.items() if manager in held and k not in stated]:
            owners[key].discard(manager)
            if not owners[key]:
                del owners[key], data[key]
        for key, value in stated.items():
            if data.get(key) != value:
                owners[key] = set()
            data[key] = value
            owners[key].add(manager)
        assert result.get("data", {}) == data
        assert _owners(result) == owners


def _owners(obj: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entry in obj["metadata"].get("managedFields", []):
        for key in entry["fieldsV1"].get("f:data", {}):
            if key != ".":
                found.setdefault(key.removeprefix("f:"), set()).add(entry["manager"])
    return found


def test_applying_again_changes_nothing(api: Api) -> None:
    first = api.apply("configmaps", config_map({"a": "1"}))
    again = api.apply("configmaps", config_map({"a": "1"}))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_conflict_names_who_and_what(api: Api) -> None:
    api.apply("configmaps", config_map({"a": "1", "b": "1"}))
    api.json(
        "patch", "configmaps", "x", {"data": {"b": "2"}}, content_type="application/merge-patch+json", agent="human"
    )
    with pytest.raises(ApplyConflict) as refused:
        api.apply("configmaps", config_map({"a": "2", "b": "1"}), "m2")
    assert refused.value.code == 409
    assert [(c.field, c.reason) for c in refused.value.causes] == [
        (".data.a", "FieldManagerConflict"),
        (".data.b", "FieldManagerConflict"),
    ]
    assert '"human" using v1 at ' in refused.value.message
    assert api.json("get", "configmaps", "x")["data"] == {"a": "1", "b": "2"}


def test_equal_values_are_shared_and_survive_until_both_let_go(api: Api) -> None:
    api.apply("configmaps", config_map({"a": "1", "b": "1"}))
    api.apply("configmaps", config_map({"a": "1"}), "m2")
    assert api.apply("configmaps", config_map({}))["data"] == {"a": "1"}
    assert "data" not in api.apply("configmaps", config_map({}), "m2")


def test_a_list_item_that_another_manager_fills_stays(api: Api) -> None:
    def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
        labels = {"app": "w"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}

    def names(applied: Any) -> list[str]:
        return [c["name"] for c in applied["spec"]["template"]["spec"]["containers"]]

    one, two = {"name": "a", "image": "x"}, {"name": "b", "image": "y"}
    api.apply("deployments.apps", deployment(one, two))
    api.apply("deployments.apps", deployment({**two, "env": [{"name": "E", "value": "1"}]}), "m2")
    after = api.apply("deployments.apps", deployment(one))
    assert names(after) == ["a", "b"]
    assert names(api.apply("deployments.apps", deployment(one), "m2", force=True)) == ["a"]


def test_apply_creates_and_dry_run_does_not(api: Api) -> None:
    assert api.apply("configmaps", config_map({"a": "1"}), query={"dryRun": "All"})["data"] == {"a": "1"}
    assert api.core.store.get("configmaps", ("default", "x")) is None


@pytest.mark.parametrize(
    "body",
    [
        {**config_map({"a": "1"}), "dota": {}},
        {"kind": "ConfigMap", "metadata": {"name": "x"}},
        {**config_map({}), "metadata": {"name": "x", "managedFields": [{}]}},
    ],
)
def test_configurations_that_are_refused(api: Api, body: dict[str, Any]) -> None:
    for validation in ("Ignore", "Strict"):
        with pytest.raises(BadRequest):
            api.apply("configmaps", body, query={"fieldValidation": validation})
    assert api.core.store.get("configmaps", ("default", "x")) is None


def test_a_manager_is_required(api: Api) -> None:
    with pytest.raises(BadRequest, match="fieldManager"):
        api.apply("configmaps", config_map({}), "")


def test_a_stale_resource_version_is_a_conflict(api: Api) -> None:
    api.apply("configmaps", config_map({"a": "1"}))
    stale = config_map({"a": "2"})
    stale["metadata"]["resourceVersion"] = "1"
    with pytest.raises(ApiError) as refused:
        api.apply("configmaps", stale)
    assert refused.value.code == 409
