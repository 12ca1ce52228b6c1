from typing import Any

import pytest
from api_calls import Api

from aegis.localcluster.apiserver.refusals import BadRequest, Conflict, Forbidden, Invalid
from aegis.localcluster.status import ApiError


def test_nulls_and_unknown_fields_fall_away_with_a_warning(api: Api) -> None:
    body = {"metadata": {"name": "c", "creationTimestamp": None}, "data": {"a": "1"}, "dota": 1}
    reply = api.call("create", "configmaps", None, body)
    assert reply.warnings == ('unknown field "dota"',)
    assert "dota" not in api.json("get", "configmaps", "c")


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("configmaps", {"metadata": {"name": "c"}, "data": {"a": 1}}),
        ("configmaps", {"metadata": "c"}),
        ("pods", {"metadata": {"name": "p"}, "spec": "x"}),
        ("pods", {"metadata": {"name": "p"}, "spec": {"containers": {}}}),
        ("deployments.apps", {"metadata": {"name": "d"}, "spec": {"replicas": "two"}}),
        ("configmaps", {"kind": "Secret", "metadata": {"name": "c"}}),
        ("configmaps", {"metadata": {"name": "c", "namespace": "other"}}),
        ("configmaps", {"metadata": {"name": "c", "resourceVersion": "1"}}),
    ],
)
def test_bodies_that_do_not_decode(api: Api, resource: str, body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        api.call("create", resource, None, body)


def test_system_metadata_cannot_be_written(api: Api) -> None:
    given = {"metadata": {"name": "c", "uid": "mine", "generation": 7, "creationTimestamp": "2001-01-01T00:00:00Z"}}
    created = api.json("create", "configmaps", None, given)["metadata"]
    assert created["uid"] != "mine"
    assert "generation" not in created
    assert not created["creationTimestamp"].startswith("2001")


def test_the_status_is_changed_through_its_subresource_only(api: Api, pod: dict[str, Any]) -> None:
    made = api.json("create", "pods", None, pod)
    assert api.json("update", "pods", "p", {**made, "status": {"phase": "Running"}})["status"]["phase"] == "Pending"
    changed = {**made, "spec": {}, "status": {"phase": "Running"}}
    after = api.json("update", "pods", "p", changed, subresource="status")
    assert after["status"]["phase"] == "Running"
    assert after["spec"] == made["spec"]


def test_a_new_object_brings_no_status_of_its_own(api: Api, pod: dict[str, Any]) -> None:
    assert api.json("create", "pods", None, {**pod, "status": {"phase": "Running"}})["status"] == {"phase": "Pending"}


def test_most_of_a_pod_cannot_change(api: Api, pod: dict[str, Any]) -> None:
    made = api.json("create", "pods", None, pod)
    made["spec"]["containers"][0]["image"] = "nginx:1.28"
    made = api.json("update", "pods", "p", made)
    made["spec"]["containers"][0]["command"] = ["sh"]
    with pytest.raises(Invalid, match="pod updates may not change fields"):
        api.call("update", "pods", "p", made)


def test_an_immutable_config_map_stays(api: Api) -> None:
    body = {"metadata": {"name": "c"}, "data": {"a": "1"}, "immutable": True}
    api.call("create", "configmaps", None, body)
    with pytest.raises(Invalid, match="immutable"):
        api.call("update", "configmaps", "c", {**body, "data": {"a": "2"}})
    with pytest.raises(Invalid, match="immutable"):
        api.call("update", "configmaps", "c", {**body, "immutable": False})


def test_a_terminating_namespace_takes_nothing_new(api: Api) -> None:
    api.call("create", "namespaces", None, {"metadata": {"name": "n"}})
    api.call("create", "configmaps", None, {"metadata": {"name": "c"}}, namespace="n")
    assert api.json("delete", "namespaces", "n")["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="being terminated"):
        api.call("create", "configmaps", None, {"metadata": {"name": "d"}}, namespace="n")
    api.call(
        "update", "namespaces", "n", {"metadata": {"name": "n"}, "spec": {"finalizers": []}}, subresource="finalize"
    )
    assert api.core.store.get("namespaces", (None, "n")) is None


def test_a_namespaces_finalizers_are_out_of_clients_reach(api: Api) -> None:
    api.call("create", "namespaces", None, {"metadata": {"name": "n"}})
    after = api.json("update", "namespaces", "n", {"metadata": {"name": "n"}, "spec": {"finalizers": []}})
    assert after["spec"]["finalizers"] == ["kubernetes"]
    with pytest.raises(Forbidden):
        api.call("delete", "namespaces", "default")


def test_a_pod_that_runs_gets_its_grace(api: Api, pod: dict[str, Any]) -> None:
    api.call("create", "pods", None, pod)
    api.server.api.bind("default", "p", "node-1")
    with pytest.raises(Conflict):
        api.server.api.bind("default", "p", "node-2")
    marked = api.json("delete", "pods", "p")["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 30
    api.call("delete", "pods", "p", {"gracePeriodSeconds": 0})
    assert api.core.store.get("pods", ("default", "p")) is None


def test_a_dry_run_stores_nothing_and_still_admits(api: Api, pod: dict[str, Any]) -> None:
    revision = api.core.store.revision
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    assert api.json("create", "services", None, service, query={"dryRun": "All"})["spec"]["clusterIP"]
    with pytest.raises(ApiError):
        api.call("create", "pods", None, {**pod, "spec": {}}, query={"dryRun": "All"})
    assert api.core.store.revision == revision


def test_managed_fields_name_who_wrote_what(api: Api) -> None:
    api.call("create", "configmaps", None, {"metadata": {"name": "c"}, "data": {"a": "1"}}, agent="one")
    patch = {"data": {"a": "2", "b": "1"}}
    kind = "application/merge-patch+json"
    after = api.json("patch", "configmaps", "c", patch, content_type=kind, agent="two")
    fields = {e["manager"]: e["fieldsV1"].get("f:data") for e in after["metadata"]["managedFields"]}
    assert fields == {"one": {}, "two": {"f:a": {}, "f:b": {}}}
