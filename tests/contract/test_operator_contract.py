"""An operator written with kopf works: handlers, fields, timers, daemons, finalizers, status and events."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kopf
import pytest
import yaml
from contract_client import Access, Client, until

GROUP = "operators.acme.dev"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def plural(api: Client) -> AsyncIterator[str]:
    """A CustomResourceDefinition of the test's own, served."""
    name = f"w{uuid.uuid4().hex[:6]}s"
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": name, "singular": name[:-1], "kind": name.capitalize()},
            "versions": [version],
        },
    }
    await api.post(DEFINITIONS, definition)

    async def served() -> bool:
        return await api.status_of(f"/apis/{GROUP}/v1/{name}") == 200

    await until(served)
    yield name
    await api.delete(f"{DEFINITIONS}/{name}.{GROUP}", expect="any")


class Seen:
    """What the operator's handlers were called for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.ticks = 0
        self.daemons = 0

    async def has(self, *call: Any) -> None:
        async def there() -> bool:
            return call in self.calls

        await until(there)


def login(kubeconfig: Path) -> Callable[..., kopf.ConnectionInfo]:
    """How the operator gets in: as the kubeconfig says."""
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    context = next(c for c in document["contexts"] if c["name"] == document["current-context"])["context"]
    cluster = next(c for c in document["clusters"] if c["name"] == context["cluster"])["cluster"]
    user = next(u for u in document["users"] if u["name"] == context["user"])["user"]
    info = kopf.ConnectionInfo(
        server=cluster["server"],
        ca_data=cluster.get("certificate-authority-data"),
        ca_path=cluster.get("certificate-authority"),
        token=user.get("token"),
        certificate_data=user.get("client-certificate-data"),
        certificate_path=user.get("client-certificate"),
        private_key_data=user.get("client-key-data"),
        private_key_path=user.get("client-key"),
    )
    return lambda **_: info


def handlers(plural: str, seen: Seen, kubeconfig: Path) -> kopf.OperatorRegistry:
    """The operator."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login(kubeconfig))

    @kopf.on.create(GROUP, "v1", plural, id="made", registry=registry)
    async def made(body: kopf.Body, patch: kopf.Patch, spec: kopf.Spec, **_: Any) -> dict[str, Any]:
        kopf.event(body, type="Normal", reason="Made", message=f"of size {spec['size']}")
        patch.status["phase"] = "Ready"
        patch.meta.labels["seen"] = "yes"
        seen.calls.append(("create", spec["size"]))
        return {"doubled": 2 * spec["size"]}

    @kopf.on.field(GROUP, "v1", plural, field="spec.size", registry=registry)
    async def resized(old: Any, new: Any, **_: Any) -> None:
        seen.calls.append(("field", old, new))

    @kopf.on.delete(GROUP, "v1", plural, registry=registry)
    async def removed(name: str | None, retry: int, **_: Any) -> None:
        if not retry:
            raise kopf.TemporaryError("not yet", delay=0.05)
        seen.calls.append(("delete", name))

    @kopf.timer(GROUP, "v1", plural, interval=0.05, registry=registry)
    async def ticked(patch: kopf.Patch, **_: Any) -> None:
        seen.ticks += 1
        patch.status["ticks"] = seen.ticks

    @kopf.daemon(GROUP, "v1", plural, cancellation_timeout=1.0, registry=registry)
    async def minded(stopped: kopf.DaemonStopped, **_: Any) -> None:
        seen.daemons += 1
        while not await stopped.wait(0.05):
            pass
        seen.daemons -= 1

    return registry


@asynccontextmanager
async def running(registry: kopf.OperatorRegistry, namespace: str) -> AsyncIterator[None]:
    """Run an operator in this very loop, until the context ends."""
    settings = kopf.OperatorSettings()
    settings.posting.level = 100  # kopf's own log lines are no events
    settings.posting.enabled = True
    ready, stop = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        operator = kopf.operator(
            registry=registry,
            settings=settings,
            namespaces=[namespace],
            standalone=True,
            ready_flag=ready,
            stop_flag=stop,
        )
        task = tasks.create_task(operator)
        try:
            async with asyncio.timeout(20):
                await ready.wait()
            yield
        finally:
            stop.set()
            async with asyncio.timeout(20):
                await asyncio.wait([task])


async def test_an_operator_lives_its_whole_life(api: Client, access: Access, namespace: str, plural: str) -> None:
    seen, path = Seen(), f"/apis/{GROUP}/v1/namespaces/{namespace}/{plural}"
    async with running(handlers(plural, seen, access.kubeconfig), namespace):
        made = {
            "apiVersion": f"{GROUP}/v1",
            "kind": plural.capitalize(),
            "metadata": {"name": "one"},
            "spec": {"size": 2},
        }
        await api.post(path, made)
        await seen.has("create", 2)

        async def handled() -> dict[str, Any]:
            found: dict[str, Any] = await api.get(f"{path}/one")
            status = found.get("status") or {}
            assert status.get("phase") == "Ready"
            assert status.get("made") == {"doubled": 4}
            assert status.get("ticks", 0) > 1
            return found

        found = await until(handled)
        assert found["metadata"]["labels"] == {"seen": "yes"}
        assert any("kopf" in f for f in found["metadata"]["finalizers"])
        assert seen.daemons == 1
        events = await until(lambda: events_of(api, namespace))
        assert (events[0]["message"], events[0]["involvedObject"]["name"]) == ("of size 2", "one")

        await api.merge(f"{path}/one", {"spec": {"size": 5}})
        await seen.has("field", 2, 5)

        await api.delete(f"{path}/one")
        await seen.has("delete", "one")

        async def gone() -> bool:
            return await api.status_of(f"{path}/one") == 404 and seen.daemons == 0

        await until(gone)


async def events_of(api: Client, namespace: str) -> list[dict[str, Any]]:
    items = (await api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
    return [e for e in items if e["reason"] == "Made"]


async def test_an_operator_takes_up_what_was_there(api: Client, access: Access, namespace: str, plural: str) -> None:
    seen, path = Seen(), f"/apis/{GROUP}/v1/namespaces/{namespace}/{plural}"
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login(access.kubeconfig))

    @kopf.on.resume(GROUP, "v1", plural, registry=registry)
    @kopf.on.create(GROUP, "v1", plural, registry=registry)
    async def known(name: str | None, reason: Any, **_: Any) -> None:
        seen.calls.append((str(reason), name))

    body = {"apiVersion": f"{GROUP}/v1", "kind": plural.capitalize(), "metadata": {"name": "old"}, "spec": {}}
    await api.post(path, body)
    async with running(registry, namespace):
        await seen.has("create", "old")

        async def settled() -> bool:
            found = await api.get(f"{path}/old")
            return "kopf.zalando.org/last-handled-configuration" in (found["metadata"].get("annotations") or {})

        await until(settled)
    async with running(registry, namespace):
        await seen.has("resume", "old")
