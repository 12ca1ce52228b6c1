"""The listener, over TLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from aegis.localcluster.apiserver.http.bodies import MAX_BODY, MAX_OBJECT
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.apiserver.tls import KeyPair

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"Content-Type": "application/merge-patch+json"}


class Running:
    """A server that listens, and a session that trusts it."""

    def __init__(self, server: ApiServer, url: str, session: aiohttp.ClientSession) -> None:
        self.server, self.url, self.session = server, url, session

    async def __call__(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.server.admin_token}", **more.pop("headers", {})}
        sent = {k: v for k, v in headers.items() if v}
        async with self.session.request(method, self.url + path, headers=sent, **more) as answer:
            text = await answer.text()
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return answer.status, json.loads(text) if is_json and text else text


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    server = ApiServer()
    url = await server.start()
    context = ssl.create_default_context(cadata=server.authority.certificate.decode())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Running(server, url, session)
    await server.stop()


async def test_only_loopback() -> None:
    with pytest.raises(ValueError, match="loopback"):
        await ApiServer().start("0.0.0.0")  # noqa: S104 - must be refused


async def test_anonymous_requests_see_health_and_version_only(running: Running) -> None:
    nobody = {"Authorization": ""}
    for path in ("/readyz", "/livez", "/version"):
        assert (await running("GET", path, headers=nobody))[0] == 200
    status, body = await running("GET", CONFIG_MAPS, headers=nobody)
    assert status == 403
    assert 'User "system:anonymous" cannot list resource "configmaps"' in body["message"]
    assert (await running("GET", "/api", headers=nobody))[0] == 403
    assert (await running("GET", "/api", headers={"Authorization": "Bearer no"}))[0] == 401


async def test_a_client_certificate_is_enough(running: Running) -> None:
    def context(pair: KeyPair) -> ssl.SSLContext:
        made = ssl.create_default_context(cadata=running.server.authority.certificate.decode())
        with tempfile.NamedTemporaryFile(suffix=".pem") as both:
            both.write(pair.certificate + pair.key)
            both.flush()
            made.load_cert_chain(both.name)
        return made

    admin, bob = running.server.admin_certificate(), running.server.authority.client("bob", ["devs"])
    for pair, expected in ((admin, 200), (bob, 403)):
        headers = {"Authorization": ""}
        async with running.session.get(running.url + CONFIG_MAPS, ssl=context(pair), headers=headers) as answer:
            assert answer.status == expected


async def test_impersonation_needs_leave_and_takes_rights_away(running: Running) -> None:
    bob = {"Impersonate-User": "bob", "Impersonate-Group": "devs"}
    status, body = await running("GET", CONFIG_MAPS, headers=bob)
    assert status == 403
    assert 'User "bob"' in body["message"]
    review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
    _, who = await running("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review, headers=bob)
    assert who["status"]["userInfo"] == {"username": "bob", "groups": ["devs", "system:authenticated"]}
    assert (await running("GET", CONFIG_MAPS, headers={"Impersonate-Group": "devs"}))[0] == 400


async def test_bodies_are_bounded(running: Running) -> None:
    def body(size: int) -> dict[str, Any]:
        return {"metadata": {"name": "x"}, "data": {"a": "x" * size}}

    for size in (MAX_OBJECT + 1, MAX_BODY + 1):
        data, kind = io.BytesIO(json.dumps(body(size)).encode()), {"Content-Type": "application/json"}
        status, answer = await running("POST", CONFIG_MAPS, data=data, headers=kind)
        assert (status, answer["reason"]) == (413, "RequestEntityTooLarge")
    assert (await running("POST", CONFIG_MAPS, data=b"{", headers={"Content-Type": "application/json"}))[0] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/services/s/proxy/x/y"),
        ("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
    ],
)
async def test_what_is_not_implemented_says_so(running: Running, method: str, path: str) -> None:
    status, body = await running(method, path, json={})
    assert (status, body["kind"], body["status"]) == (501, "Status", "Failure")


async def test_methods_and_paths_that_are_not_there(running: Running) -> None:
    assert (await running("POST", f"{CONFIG_MAPS}/x", json={}))[0] == 405
    assert (await running("GET", "/api/v1/namespaces/default/nodes"))[0] == 404
    assert (await running("GET", f"{CONFIG_MAPS}/x/scale"))[0] == 404
    assert (await running("GET", "/nowhere"))[0] == 404


async def test_aggregated_discovery(running: Running) -> None:
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
    _, core = await running("GET", "/api", headers=accept)
    _, others = await running("GET", "/apis", headers=accept)
    pods = next(r for r in core["items"][0]["versions"][0]["resources"] if r["resource"] == "pods")
    assert {"subresource": "log"}.items() <= next(s for s in pods["subresources"] if s["subresource"] == "log").items()
    assert "apps" in {g["metadata"]["name"] for g in others["items"]}
    plain = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"}
    assert (await running("GET", "/apis", headers=plain))[1]["kind"] == "APIGroupList"


async def test_only_metadata(running: Running) -> None:
    await running("POST", CONFIG_MAPS, json={"metadata": {"name": "x"}, "data": {"a": "1"}})
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    _, listed = await running("GET", CONFIG_MAPS, headers=accept)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "data" not in listed["items"][0]
    assert (await running("GET", CONFIG_MAPS, headers={"Accept": "application/cbor"}))[0] == 406


async def test_unknown_fields_are_warned_of(running: Running) -> None:
    headers = {"Authorization": f"Bearer {running.server.admin_token}"}
    body = {"metadata": {"name": "x"}, "dota": {}}
    async with running.session.post(running.url + CONFIG_MAPS, json=body, headers=headers) as answer:
        assert answer.headers["Warning"] == '299 - "unknown field \\"dota\\""'


async def test_a_watcher_that_goes_away_is_no_error(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Authorization": f"Bearer {running.server.admin_token}"}
    for turn in range(30):
        answer = await running.session.get(f"{running.url}{CONFIG_MAPS}?watch=true&resourceVersion=0", headers=headers)
        async with asyncio.TaskGroup() as changes:
            for number in range(3):
                made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{turn}-{number}"}}
                changes.create_task(running("POST", CONFIG_MAPS, json=made))
            await asyncio.sleep(0.0005 * (turn % 6))
            answer.close()  # while the server writes the events
    assert [record.message for record in caplog.records] == []


async def test_a_watch_ends_with_the_server(running: Running) -> None:
    headers = {"Authorization": f"Bearer {running.server.admin_token}"}
    url = f"{running.url}{CONFIG_MAPS}?watch=true&resourceVersion=0"
    await running("POST", CONFIG_MAPS, json={"metadata": {"name": "x"}})
    async with running.session.get(url, headers=headers) as answer:
        assert json.loads(await answer.content.readline())["type"] == "ADDED"
        await running("PATCH", f"{CONFIG_MAPS}/x", data='{"data": {"a": "1"}}', headers=MERGE)
        event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", {"a": "1"})
        await running.server.stop()
        with contextlib.suppress(aiohttp.ClientError):
            assert not (await answer.content.readline()).strip()
