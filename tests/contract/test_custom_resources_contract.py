import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from contract_client import Client, until

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def plural(api: Client) -> AsyncIterator[str]:
    """A CustomResourceDefinition of the test's own, established and served."""
    name = f"r{uuid.uuid4().hex[:6]}s"
    definition = f"{DEFINITIONS}/{name}.acme.dev"
    await api.post(DEFINITIONS, crd(name))

    async def established() -> bool:
        conditions = (await api.get(definition)).get("status", {}).get("conditions") or []
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    async def served() -> bool:
        return await api.status_of(f"/apis/acme.dev/v1/{name}") == 200

    await until(established)
    await until(served)
    yield name
    await api.delete(definition, expect="any")


def crd(plural: str) -> dict[str, Any]:
    spec = {
        "type": "object",
        "required": ["target"],
        "properties": {
            "target": {"type": "string", "maxLength": 10},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        },
        "x-kubernetes-validations": [{"rule": "self.target != 'forbid'", "message": "forbidden"}],
    }
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.acme.dev"},
        "spec": {
            "group": "acme.dev",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": plural.capitalize()},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
            ],
        },
    }


def collection(namespace: str, plural: str) -> str:
    return f"/apis/acme.dev/v1/namespaces/{namespace}/{plural}"


def resource(plural: str, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "acme.dev/v1",
        "kind": plural.capitalize(),
        "metadata": {"name": "r"},
        "spec": {"target": "t", **spec},
    }


async def test_crd_discovery(api: Client, plural: str) -> None:
    assert plural in {r["name"] for r in (await api.get("/apis/acme.dev/v1"))["resources"]}
    assert "acme.dev" in {g["name"] for g in (await api.get("/apis"))["groups"]}


async def test_crd_default_prune(api: Client, namespace: str, plural: str) -> None:
    created = await api.post(collection(namespace, plural), resource(plural, junk=1))
    assert created["spec"] == {"target": "t", "mode": "a"}


async def test_crd_schema_422(api: Client, namespace: str, plural: str) -> None:
    status = await api.post(collection(namespace, plural), resource(plural, mode="zzz"), expect=422)
    assert status["reason"] == "Invalid"
    assert status["details"]["causes"][0]["field"] == "spec.mode"
    await api.post(collection(namespace, plural), resource(plural, target="x" * 11), expect=422)
    await api.post(collection(namespace, plural), {**resource(plural), "spec": {}}, expect=422)


async def test_crd_cel(api: Client, namespace: str, plural: str) -> None:
    status = await api.post(collection(namespace, plural), resource(plural, target="forbid"), expect=422)
    assert "forbidden" in status["message"]


async def test_crd_status_subresource(api: Client, namespace: str, plural: str) -> None:
    path = collection(namespace, plural) + "/r"
    await api.post(collection(namespace, plural), {**resource(plural), "status": {"phase": "X"}})
    assert "status" not in await api.get(path)
    assert "status" not in await api.merge(path, {"status": {"phase": "Y"}})
    patched = await api.merge(path + "/status", {"status": {"phase": "Z"}, "spec": {"target": "no"}})
    assert patched["status"]["phase"] == "Z"
    assert patched["spec"]["target"] == "t"
    assert patched["metadata"]["generation"] == 1


async def test_crd_strategic_415(api: Client, namespace: str, plural: str) -> None:
    await api.post(collection(namespace, plural), resource(plural))
    await api.strategic(collection(namespace, plural) + "/r", {"spec": {"mode": "b"}}, expect=415)


async def test_crd_strict_validation(api: Client, namespace: str, plural: str) -> None:
    await api.post(collection(namespace, plural), resource(plural, junk=1), fieldValidation="Strict", expect=400)


async def test_crd_put_needs_a_revision(api: Client, namespace: str, plural: str) -> None:
    path = collection(namespace, plural) + "/r"
    created = await api.post(collection(namespace, plural), resource(plural))
    await api.put(path, resource(plural, target="u"), expect=422)
    created["spec"]["target"] = "u"
    assert (await api.put(path, created))["metadata"]["generation"] == 2


async def test_crd_deletion_takes_its_objects(api: Client, namespace: str, plural: str) -> None:
    await api.post(collection(namespace, plural), resource(plural))
    definition = f"{DEFINITIONS}/{plural}.acme.dev"
    await api.delete(definition)

    async def gone() -> bool:
        return await api.status_of(definition) == 404

    await until(gone)

    async def unserved() -> bool:
        return await api.status_of(collection(namespace, plural) + "/r") == 404

    await until(unserved)
