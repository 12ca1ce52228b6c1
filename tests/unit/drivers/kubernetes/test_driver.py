"""The driver against a real HTTP server over TLS that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import web
from fake_api_server import FakeServer, answer, events, status

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.errors import AegisError, Conflict, Gone, Invalid, NotFound, PermissionDenied, Unavailable, UsageError
from aegis.model.refs import ObjectRef
from aegis.ports import Access, LogQuery

MAP = ObjectRef(api_version="v1", kind="ConfigMap", name="a", namespace="shop")
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def _map(name: str = "a", version: str = "1", **data: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"u-{name}", "resourceVersion": version},
        "data": data,
    }


def _items(*objects: dict[str, Any], version: str = "10", token: str = "") -> dict[str, Any]:
    return {
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": version, "continue": token},
        "items": list(objects),
    }


async def _hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def _slam(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def test_get_keeps_unknown_fields(server: FakeServer) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", **_map(), "newField": {"x": 9007199254740993}}
    server.then(answer(obj))
    async with server.connect() as driver:
        assert await driver.get(MAP) == obj
        assert driver.api_calls == {"get": 1}
    assert server.requests == [("GET", "/api/v1/namespaces/shop/configmaps/a", {})]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_reads_are_repeated_when_the_server_stumbles(server: FakeServer, code: int) -> None:
    server.then(status(code), status(code), answer(_map()))
    async with server.connect() as driver:
        assert await driver.get(MAP)
    assert len(server.requests) == 3


async def test_retry_after_is_honoured(server: FakeServer) -> None:
    server.then(answer({}, 429, **{"Retry-After": "1"}), answer(_map()))
    async with server.connect() as driver:
        started = time.monotonic()
        await driver.get(MAP)
        assert time.monotonic() - started >= 1.0


async def test_repeats_end(server: FakeServer) -> None:
    server.then(status(503, message="overloaded"))
    async with server.connect(timeout=1.0) as driver:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="overloaded"):
            await driver.get(MAP)
        assert time.monotonic() - started < 2.0
    assert 1 < len(server.requests) <= 5


@pytest.mark.parametrize(("code", "sent"), [(500, 1), (502, 1), (503, 1), (504, 1), (429, 2)])
async def test_writes_are_repeated_only_where_nothing_was_done(server: FakeServer, code: int, sent: int) -> None:
    server.then(status(code), answer(_map()))
    async with server.connect() as driver:
        write = driver.apply(MAP, {}, manager="aegis")
        if sent == 1:
            with pytest.raises(Unavailable):
                await write
        else:
            await write
    assert len(server.requests) == sent


async def test_a_write_refused_for_a_while_is_sent_again(server: FakeServer) -> None:
    server.then(answer({}, 503, **{"Retry-After": "0"}), answer(_map()))
    async with server.connect() as driver:
        await driver.apply(MAP, {}, manager="aegis")
    assert len(server.requests) == 2


async def test_a_broken_write_is_not_sent_again_and_says_so(server: FakeServer) -> None:
    server.then(_slam)
    async with server.connect() as driver:
        with pytest.raises(Unavailable, match="whether it was done is not known"):
            await driver.create({"apiVersion": "v1", "kind": "ConfigMap", **_map()})
    assert len(server.requests) == 1


async def test_a_broken_read_is_sent_again(server: FakeServer) -> None:
    server.then(_slam, answer(_map()))
    async with server.connect() as driver:
        assert await driver.get(MAP)


async def test_an_eviction_is_not_repeated_against_a_budget(server: FakeServer) -> None:
    server.then(status(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget."))
    async with server.connect() as driver:
        with pytest.raises(Unavailable, match="disruption budget"):
            await driver.evict(ObjectRef(api_version="v1", kind="Pod", name="p", namespace="shop"), uid="u")
    assert len(server.requests) == 1
    assert json.loads(server.bodies[0])["deleteOptions"] == {"preconditions": {"uid": "u"}}


async def test_a_server_that_hangs(server: FakeServer) -> None:
    server.then(_hang)
    async with server.connect(timeout=0.5) as driver:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="no answer in time"):
            await driver.get(MAP)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("body", [b"<html>hi</html>", b"[1]", b"\xff\xfe", b"[" * 100_000, b""])
async def test_garbage(server: FakeServer, body: bytes) -> None:
    server.then(answer(body))
    async with server.connect() as driver:
        with pytest.raises(Unavailable, match="the server answered no"):
            await driver.get(MAP)


async def test_a_huge_answer_is_cut_off(server: FakeServer) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        chunk = b"x" * (1 << 20)
        for _ in range(100):
            await response.write(chunk)
        return response

    server.then(endless)
    async with server.connect(timeout=30) as driver:
        with pytest.raises(Unavailable, match="larger than"):
            await driver.get(MAP)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (400, Invalid, "said so"),
        (401, PermissionDenied, "credentials"),
        (403, PermissionDenied, "not permitted: patch deployments.apps web in shop: said so"),
        (404, NotFound, "said so"),
        (409, Conflict, "said so"),
        (410, Gone, "said so"),
        (422, Invalid, "said so"),
        (405, Invalid, "said so"),
        (501, Unavailable, "said so"),
    ],
)
async def test_refusals(server: FakeServer, code: int, error: type[AegisError], words: str) -> None:
    server.then(status(code, "Reason", "said so"))
    async with server.connect() as driver:
        with pytest.raises(AegisError, match=words) as caught:
            await driver.apply(WEB, {}, manager="aegis")
    assert type(caught.value) is error


async def test_field_conflicts_name_their_owners(server: FakeServer) -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" using apps/v1',
            "field": ".spec.replicas",
        },
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa"', "field": ".spec.x"},
    ]
    server.then(status(409, "Conflict", "Apply failed with 2 conflicts", causes=causes))
    async with server.connect() as driver:
        with pytest.raises(Conflict) as caught:
            await driver.apply(WEB, {}, manager="aegis")
    assert caught.value.conflicts == (("kubectl", ".spec.replicas"), ("hpa", ".spec.x"))


async def test_a_failed_test_of_a_patch_is_a_conflict_and_an_invalid_object_is_not(server: FakeServer) -> None:
    general = status(422, "Invalid", "the server rejected our request due to an error in our request")
    causes = [{"reason": "FieldValueInvalid", "message": "no", "field": "spec"}]
    server.then(general, general, status(422, "Invalid", "Deployment is invalid", causes=causes))
    async with server.connect() as driver:
        with pytest.raises(Conflict):
            await driver.patch(WEB, [{"op": "test", "path": "/a", "value": 1}], manager="aegis")
        with pytest.raises(Invalid):
            await driver.patch(WEB, [{"op": "remove", "path": "/a"}], manager="aegis")
        with pytest.raises(Invalid):
            await driver.patch(WEB, [{"op": "test", "path": "/a", "value": 1}], manager="aegis")


async def test_what_is_sent(server: FakeServer) -> None:
    server.then(answer(_map()))
    async with server.connect() as driver:
        await driver.apply(WEB, {"b": 1, "a": "é"}, manager="aegis", force=True, dry_run=True)
        await driver.patch(WEB, [{"op": "remove", "path": "/a"}], manager="aegis")
        await driver.delete(WEB, uid="u1", propagation="Foreground", dry_run=True)
        await driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, dry_run=True)
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    strict = {"fieldManager": "aegis", "fieldValidation": "Strict"}
    assert server.requests == [
        ("PATCH", path, {**strict, "force": "true", "dryRun": "All"}),
        ("PATCH", path, strict),
        ("DELETE", path, {}),
        ("POST", "/api/v1/namespaces", {**strict, "dryRun": "All"}),
    ]
    assert [headers["Content-Type"] for headers in server.headers] == [
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/json",
        "application/json",
    ]
    assert server.bodies[0] == '{"a":"é","b":1}'.encode()
    assert json.loads(server.bodies[2]) == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u1"},
        "dryRun": ["All"],
    }


async def test_deleting_what_is_gone_is_no_error_and_another_uid_is(server: FakeServer) -> None:
    server.then(status(404), status(409, "Conflict", "the UID in the precondition"))
    async with server.connect() as driver:
        await driver.delete(MAP)
        with pytest.raises(Conflict):
            await driver.delete(MAP, uid="other")


async def test_lists_page_through(server: FakeServer) -> None:
    server.then(answer(_items(_map("a"), token="t1")), answer(_items(_map("b"))))
    async with server.connect() as driver:
        found = await driver.list("v1", "ConfigMap", namespace="shop", labels="app=x", fields="metadata.name!=z")
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b"]
    assert {obj["kind"] for obj in found} == {"ConfigMap"}
    selectors = {"labelSelector": "app=x", "fieldSelector": "metadata.name!=z", "limit": "500"}
    assert [query for _, _, query in server.requests] == [selectors, {**selectors, "continue": "t1"}]


async def test_a_list_that_expires_half_way_is_read_anew_whole(server: FakeServer) -> None:
    server.then(answer(_items(_map("a"), token="t1")), status(410, "Expired"), answer(_items(_map("a"), _map("b"))))
    async with server.connect() as driver:
        assert len(await driver.list("v1", "ConfigMap")) == 2
    assert "limit" not in server.requests[2][2]


async def test_a_list_without_end_is_given_up(server: FakeServer) -> None:
    server.then(answer(_items(token="again")))
    async with server.connect() as driver:
        with pytest.raises(Unavailable, match="pages"):
            await driver.list("v1", "ConfigMap")


async def test_listing_an_unknown_kind_is_empty_and_a_forbidden_one_is_not(server: FakeServer) -> None:
    server.then(status(404), status(403, "Forbidden", "no"))
    async with server.connect() as driver:
        assert await driver.list("example.com/v1", "Widget") == []
        with pytest.raises(PermissionDenied, match="list configmaps"):
            await driver.list("v1", "ConfigMap")


async def _watched(server: FakeServer, count: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    async with server.connect() as driver, asyncio.timeout(10):
        async for event in driver.watch("v1", "ConfigMap", namespace="shop"):
            found.append((event.type, event.object["metadata"]["name"]))
            if len(found) == count:
                break
    return found


async def test_watch_lists_then_follows_and_remembers_bookmarks(server: FakeServer) -> None:
    bookmark = {"kind": "ConfigMap", "metadata": {"resourceVersion": "50"}}
    server.then(
        answer(_items(_map("a"))),
        events(("MODIFIED", _map("a", "11")), ("BOOKMARK", bookmark), then="break"),
        events(("DELETED", _map("a", "51")), then="hold"),
    )
    assert await _watched(server, 3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert [query.get("resourceVersion") for _, _, query in server.requests] == [None, "10", "50"]
    assert server.requests[1][2]["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("as_event", [True, False])
async def test_watch_recovers_from_410_without_losing_deletions(server: FakeServer, as_event: bool) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    server.then(
        answer(_items(_map("a"), _map("b"), _map("c"))),
        events(("ERROR", expired)) if as_event else status(410, "Expired"),
        answer(_items(_map("b", "20"), _map("c"), _map("d", "21"), version="30")),
        events(then="hold"),
    )
    assert (await _watched(server, 6))[3:] == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "d")]


@pytest.mark.parametrize("broken", ["garbage", "refused", "slammed", "500"])
async def test_watch_goes_on_after_faults(server: FakeServer, broken: str) -> None:
    async def garbage(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type": "ADDED"\n')
        return response

    fault = {"garbage": garbage, "refused": status(503), "slammed": _slam, "500": events(("ERROR", {"code": 500}))}[
        broken
    ]
    server.then(answer(_items(_map("a"))), fault, events(("ADDED", _map("b", "12")), then="hold"))
    assert await _watched(server, 2) == [("ADDED", "a"), ("ADDED", "b")]
    assert server.requests[2][2]["resourceVersion"] == "10"


async def test_watch_ends_where_waiting_does_not_help(server: FakeServer) -> None:
    server.then(answer(_items(_map("a"))), status(403, "Forbidden", "no"))
    with pytest.raises(PermissionDenied, match="watch configmaps"):
        await _watched(server, 2)


async def test_watch_does_not_spin_when_every_connection_ends_at_once(server: FakeServer) -> None:
    server.then(answer(_items(_map("a"))), events())
    watching = asyncio.ensure_future(_watched(server, 2))
    await asyncio.sleep(1.0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert len(server.requests) < 10


async def test_an_unreachable_server_is_told_at_once(server: FakeServer) -> None:
    cluster = server.cluster() | {"server": "https://127.0.0.1:9"}
    async with server.connect(cluster=cluster) as driver:
        started = time.monotonic()
        with pytest.raises(Unavailable, match="no connection"):
            await driver.get(MAP)
        assert time.monotonic() - started < 1.0


async def test_logs(server: FakeServer) -> None:
    server.then(answer(b"\xffone\ntwo\n"))
    async with server.connect() as driver:
        text = await driver.logs("shop", "p", LogQuery(container="web", previous=True, tail_lines=5, limit_bytes=6))
    assert text == "�one\nt"
    assert server.requests[0][1:] == (
        "/api/v1/namespaces/shop/pods/p/log",
        {"container": "web", "previous": "true", "tailLines": "5", "limitBytes": "6"},
    )


async def test_logs_with_the_times_of_their_lines(server: FakeServer) -> None:
    server.then(answer(b"2026-11-21T00:31:15.873270750Z one\n"))
    async with server.connect() as driver:
        await driver.logs("shop", "p", LogQuery(container="web", timestamps=True))
    assert server.requests[0][2]["timestamps"] == "true"


async def test_logs_that_are_not_there(server: FakeServer) -> None:
    server.then(status(400, "BadRequest", 'previous terminated container "web" in pod "p" not found'))
    async with server.connect() as driver:
        with pytest.raises(NotFound):
            await driver.logs("shop", "p", LogQuery(container="web", previous=True))


@pytest.mark.parametrize(
    ("word", "kind", "asked"),
    [
        ("deploy", "Deployment", 0),
        ("Pod", "Pod", 0),
        ("statefulsets.apps", "StatefulSet", 0),
        ("wd", "Widget", 2),
        ("widgets.example.com", "Widget", 2),
    ],
)
async def test_resolving(server: FakeServer, word: str, kind: str, asked: int) -> None:
    groups = {"groups": [{"name": "example.com", "preferredVersion": {"groupVersion": "example.com/v1"}}]}
    served = {
        "groupVersion": "example.com/v1",
        "resources": [
            {"name": "widgets", "singularName": "widget", "kind": "Widget", "namespaced": True, "shortNames": ["wd"]},
            {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        ],
    }
    server.then(answer(groups), answer(served))
    async with server.connect() as driver:
        assert (await driver.resolve(word)).kind == kind
    assert len(server.requests) == asked


async def test_resolving_nonsense(server: FakeServer) -> None:
    server.then(answer({"groups": []}))
    async with server.connect() as driver:
        with pytest.raises(UsageError, match="no resource 'frobs'"):
            await driver.resolve("frobs")


@pytest.mark.parametrize("name", ["../x", "a/b", "a?b", "..", "a b", "a%2fb", "a\n"])
async def test_a_name_cannot_leave_its_place_in_the_path(server: FakeServer, name: str) -> None:
    async with server.connect() as driver:
        with pytest.raises(UsageError):
            await driver.get(ObjectRef(api_version="v1", kind="ConfigMap", name=name, namespace="shop"))
    assert server.requests == []


async def test_who_and_what(server: FakeServer) -> None:
    server.then(
        answer({"status": {"userInfo": {"username": "alice", "groups": ["dev"]}}}),
        answer({"status": {"allowed": True}}),
        answer({"status": {"allowed": False}}),
    )
    async with server.connect() as driver:
        assert (await driver.whoami()).name == "alice"
        assert await driver.allowed(Access(verb="patch", resource="deployments.apps/scale", namespace="shop"))
        assert not await driver.allowed(Access(verb="get", resource="pods/log"))
    assert json.loads(server.bodies[1])["spec"]["resourceAttributes"] == {
        "verb": "patch",
        "group": "apps",
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "shop",
    }


@pytest.mark.parametrize(
    ("version", "facts", "embedded"),
    [
        ("v1.33.0+aegis-local", {"timeScale": "20", "notEnforced": "one\ntwo"}, True),
        ("v1.33.0+aegis-local", None, False),
        ("v1.33.0", {"timeScale": "20"}, False),
    ],
)
async def test_a_time_scale_is_taken_from_the_embedded_cluster_only(
    server: FakeServer, version: str, facts: dict[str, str] | None, embedded: bool
) -> None:
    server.then(
        answer({"metadata": {"uid": "c-1"}}),
        answer({"gitVersion": version}),
        status(404) if facts is None else answer({"data": facts}),
    )
    async with server.connect() as driver:
        cluster = await driver.cluster()
        assert await driver.cluster() is cluster
    assert cluster.uid == "c-1"
    assert cluster.embedded is embedded
    assert cluster.time_scale == (20.0 if embedded else 1.0)
    assert cluster.gaps == (("one", "two") if embedded else ())


@pytest.mark.parametrize("environ", [{}, {"KUBECONFIG": "/nonexistent/kubeconfig"}])
async def test_no_cluster_configured(environ: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="no cluster is configured"):
        async with connect(KubeOptions(environ={"HOME": "/nonexistent", **environ})):
            pass
