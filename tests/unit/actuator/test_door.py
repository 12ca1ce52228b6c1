"""The door over real HTTP: what is sent, and what the audit log knows when it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_api_server import FakeServer, make_authority, serving

from aegis.actuator import ClusterActuator, Rules
from aegis.errors import Conflict, Refused, Unavailable
from aegis.model.canonical import digest
from aegis.model.changes import Apply, Change, Delete, Evict, JsonPatch, body_of, within
from aegis.model.refs import Json, ObjectRef
from aegis.ports import Mode, Purpose, User
from aegis.stores.audit import FileAuditLog
from aegis.stores.mode import FileMode

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SHADOW = "aegis-shadow-1-c"
LIVE = {
    "kind": "Deployment",
    "metadata": {"name": "web", "uid": "u-web", "resourceVersion": "41"},
    "spec": {"replicas": 1},
}
APPLY = Apply(target=WEB, patch={"spec": {"replicas": 2, "b": "é", "a": [1, None, True]}})
PATCH = JsonPatch(target=WEB, patch=({"op": "replace", "path": "/spec/replicas", "value": 2},))
PRODUCTION = Purpose(kind="production", incident="inc-1")
IN_SHADOW = Purpose(kind="shadow", incident="inc-1", scope=(SHADOW,))


class _Api:
    """Answers as a cluster with one Deployment, and notes what the audit log held at each write."""

    def __init__(self, folder: Path) -> None:
        self.audit = FileAuditLog(folder / "audit", anchor=folder / "anchor" / "head.json")
        self.known_at_write: list[list[str]] = []
        self.fail_with = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.33.0"})
        if request.path == "/api/v1/namespaces/kube-system":
            return web.json_response({"metadata": {"uid": "c-1"}})
        if request.method == "GET":
            return web.json_response(LIVE)
        self.known_at_write.append([record.outcome for record in self.audit.records()])
        if self.fail_with:
            return web.json_response({"kind": "Status", "message": "said so"}, status=self.fail_with)
        return web.json_response({"metadata": {"uid": "u-web", "resourceVersion": "42"}})


class _World:
    def __init__(self, server: FakeServer, api: _Api, actuator: ClusterActuator, mode: FileMode) -> None:
        self.server = server
        self.api = api
        self.actuator = actuator
        self.mode = mode

    def writes(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        sent = zip(self.server.requests, self.server.bodies, strict=True)
        return [(method, path, query, body) for (method, path, query), body in sent if method != "GET"]

    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.api.audit.records()]


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[_World]:
    async with serving(make_authority(), folder) as server:
        api, mode = _Api(folder), FileMode(folder)
        server.then(api)
        async with server.connect() as driver:
            actuator = ClusterActuator(
                reader=driver,
                writer=driver,
                audit=api.audit,
                mode=mode,
                rules=Rules(gitops_owner=lambda _: None),
                actor=User(name="alice"),
            )
            yield _World(server, api, actuator, mode)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[_World]:
    async with _world(tmp_path) as found:
        yield found


@pytest.mark.parametrize("change", [APPLY, PATCH])
async def test_shadow_and_production_get_the_same_bytes(world: _World, change: Change) -> None:
    await world.actuator.change(within(change, SHADOW), IN_SHADOW)
    await world.actuator.change(change, PRODUCTION, resource_version="41")
    shadow, production = world.writes()
    assert shadow[0] == production[0] == "PATCH"
    assert shadow[1].replace(SHADOW, "shop") == production[1]
    assert shadow[2] == production[2]
    body, undone = json.loads(shadow[3]), json.loads(production[3])
    if isinstance(change, Apply):
        assert undone["metadata"].pop("resourceVersion") == "41"
    else:
        assert undone.pop(0) == {"op": "test", "path": "/metadata/resourceVersion", "value": "41"}
    assert body == undone
    without = shadow[3].decode()
    assert json.dumps(undone, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == without
    assert SHADOW not in without


async def test_intended_is_durable_before_the_write_and_done_after(world: _World) -> None:
    result = await world.actuator.change(APPLY, PRODUCTION, resource_version="41")
    assert result == {"metadata": {"uid": "u-web", "resourceVersion": "42"}}
    assert world.api.known_at_write == [["intended"]]
    intended, done = world.api.audit.records()
    assert (intended.action, intended.outcome, intended.actor) == ("apply", "intended", "alice")
    assert (intended.incident, intended.subject) == ("inc-1", "Deployment/web in shop")
    assert intended.detail["digest"] == digest(body_of(APPLY))
    assert intended.detail["purpose"] == "production"
    assert intended.detail["cluster"] == "c-1"
    assert (done.outcome, done.detail["resourceVersion"], done.detail["uid"]) == ("done", "42", "u-web")


async def test_a_dry_run_is_audited_as_such_and_changes_nothing(world: _World) -> None:
    await world.actuator.change(APPLY, PRODUCTION, dry_run=True)
    ((_, _, query, _),) = world.writes()
    assert query["dryRun"] == "All"
    assert [record.detail["dryRun"] for record in world.api.audit.records()] == [True, True]


async def test_what_is_refused_is_audited_and_never_sent(world: _World) -> None:
    with pytest.raises(Refused, match="protected"):
        await world.actuator.change(within(APPLY, "kube-system"), PRODUCTION, resource_version="41")
    assert world.writes() == []
    assert world.outcomes() == ["refused"]


async def test_a_failed_write_is_audited(world: _World) -> None:
    world.api.fail_with = 409
    with pytest.raises(Conflict):
        await world.actuator.change(APPLY, PRODUCTION, resource_version="40")
    intended, failed = world.api.audit.records()
    assert (intended.outcome, failed.outcome) == ("intended", "failed")
    assert failed.detail["error"] == "conflict"


async def test_without_an_audit_log_nothing_is_written(world: _World, tmp_path: Path) -> None:
    (tmp_path / "audit" / "audit.jsonl").mkdir()
    with pytest.raises(Unavailable):
        await world.actuator.change(within(APPLY, SHADOW), IN_SHADOW)
    with pytest.raises(Unavailable):
        await world.actuator.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHADOW}}, IN_SHADOW)
    assert world.writes() == []


async def test_without_a_readable_mode_nothing_is_written(world: _World, tmp_path: Path) -> None:
    (tmp_path / "mode.json").write_text("{")
    with pytest.raises(Unavailable):
        await world.actuator.change(within(APPLY, SHADOW), IN_SHADOW)
    assert world.writes() == []


async def test_the_mode_is_read_before_each_write(world: _World) -> None:
    await world.actuator.change(within(APPLY, SHADOW), IN_SHADOW)
    world.mode.set(Mode.HARDSTOP, reason="stop", by="alice")
    with pytest.raises(Refused, match="hardstop"):
        await world.actuator.change(within(APPLY, SHADOW), IN_SHADOW)
    assert len(world.writes()) == 1


async def test_the_hourly_limit_counts_what_the_log_knows(world: _World) -> None:
    for number in range(3):
        await world.actuator.change(APPLY, replace(PRODUCTION, incident=f"inc-{number}"), resource_version="41")
    with pytest.raises(Refused, match="limit is 3"):
        await world.actuator.change(APPLY, replace(PRODUCTION, incident="inc-9"), resource_version="41")
    await world.actuator.change(APPLY, replace(PRODUCTION, incident="inc-2"), resource_version="41")


async def test_the_limit_holds_for_writes_at_once(world: _World) -> None:
    async def one(number: int) -> str:
        try:
            await world.actuator.change(APPLY, replace(PRODUCTION, incident=f"inc-{number}"), resource_version="41")
        except Refused:
            return "refused"
        return "done"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(6)]
    assert sorted(task.result() for task in tasks) == ["done"] * 3 + ["refused"] * 3


async def test_shadow_objects_are_created_changed_and_deleted(world: _World) -> None:
    pod = ObjectRef(api_version="v1", kind="Pod", name="p", namespace=SHADOW)
    obj: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHADOW}}
    assert await world.actuator.create(obj, IN_SHADOW)
    assert await world.actuator.change(Evict(target=pod, uid="u"), IN_SHADOW) is None
    assert await world.actuator.change(Delete(target=pod, uid="u"), IN_SHADOW) is None
    await world.actuator.delete(ObjectRef.of(obj), IN_SHADOW, uid="n")
    methods = [(method, path) for method, path, _, _ in world.writes()]
    assert methods == [
        ("POST", "/api/v1/namespaces"),
        ("POST", f"/api/v1/namespaces/{SHADOW}/pods/p/eviction"),
        ("DELETE", f"/api/v1/namespaces/{SHADOW}/pods/p"),
        ("DELETE", f"/api/v1/namespaces/{SHADOW}"),
    ]
    assert json.loads(world.writes()[3][3])["preconditions"] == {"uid": "n"}
    assert world.outcomes() == ["intended", "done"] * 4
    with pytest.raises(Refused, match="outside the shadow"):
        await world.actuator.delete(replace(WEB, namespace="shop"), IN_SHADOW)


async def test_a_write_that_is_cut_off_stays_intended(world: _World) -> None:
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            release.set()
            await asyncio.sleep(30)
        return await world.api(request)

    world.server.then(slow)
    writing: asyncio.Future[Any] = asyncio.ensure_future(world.actuator.change(within(APPLY, SHADOW), IN_SHADOW))
    await asyncio.wait_for(release.wait(), 5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert world.outcomes() == ["intended"]
