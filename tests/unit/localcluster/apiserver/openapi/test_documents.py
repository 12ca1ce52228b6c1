import json

from aegis.localcluster.apiserver.openapi.definitions import builtin_definitions, references
from aegis.localcluster.apiserver.openapi.documents import Documents
from aegis.localcluster.apiserver.protobuf.wire import read
from aegis.localcluster.apiserver.registry import CustomType, Registry, Resource

DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def test_every_reference_is_defined() -> None:
    definitions = builtin_definitions()
    assert {r for d in definitions.values() for r in references(d)} <= set(definitions)


def test_merge_keys_are_told() -> None:
    pod = builtin_definitions()["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod["containers"]["x-kubernetes-patch-merge-key"] == "name"
    assert pod["containers"]["x-kubernetes-list-map-keys"] == ["name"]
    assert pod["volumes"]["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert pod["tolerations"]["x-kubernetes-list-type"] == "atomic"


def test_version_three_is_whole_by_group() -> None:
    document = json.loads(Documents(Registry()).v3("apis/apps/v1") or b"")
    schemas = document["components"]["schemas"]
    assert schemas[DEPLOYMENT]["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "version": "v1", "kind": "Deployment"}
    ]
    assert "io.k8s.api.core.v1.PodSpec" in schemas
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}" in document["paths"]


def test_custom_resources_join_at_once() -> None:
    registry = Registry()
    documents = Documents(registry)
    assert documents.v3("apis/acme.dev/v1") is None
    schema = {"type": "object", "properties": {"spec": {"type": "object"}}}
    custom = Resource(group="acme.dev", version="v1", plural="things", kind="Thing", custom=CustomType(schema=schema))
    registry.add(custom)
    assert "dev.acme.v1.Thing" in json.loads(documents.v3("apis/acme.dev/v1") or b"")["components"]["schemas"]
    assert b"dev.acme.v1.Thing" in documents.v2(protobuf=True)


def test_version_two_as_protobuf_holds_the_same_definitions() -> None:
    documents = Documents(Registry())
    fields = {number: value for number, _, value in read(documents.v2(protobuf=True))}
    assert fields[1] == b"2.0"
    definitions = fields[9]
    assert isinstance(definitions, bytes)
    names = {
        next(v for n, _, v in read(entry) if n == 1) for _, _, entry in read(definitions) if isinstance(entry, bytes)
    }
    assert names == {n.encode() for n in json.loads(documents.v2(protobuf=False))["definitions"]}


def test_what_may_be_any_json_has_no_type() -> None:
    schema = builtin_definitions()["io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"]
    assert "type" not in schema["properties"]["default"]
