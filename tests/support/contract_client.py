"""A thin client of any Kubernetes API, for the contract checks: raw JSON, every status code in sight."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import aiohttp
import yaml

Json = Any
Query = Mapping[str, str | int]
Expected = int | Literal["success", "any"]
T = TypeVar("T")

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a cluster is reached: its address, its CA, and who asks; and the kubeconfig that says so."""

    kubeconfig: Path
    url: str
    tls: ssl.SSLContext
    anonymous_tls: ssl.SSLContext
    token: str | None = None


def access_from_kubeconfig(path: Path) -> Access:
    """The current context of a kubeconfig (certificate, token, data or files; no exec plug-ins)."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    context = _named(document["contexts"], document["current-context"])["context"]
    cluster = _named(document["clusters"], context["cluster"])["cluster"]
    user = _named(document["users"], context["user"])["user"]
    authority = _data(cluster, "certificate-authority")
    return Access(
        kubeconfig=path,
        url=cluster["server"],
        tls=_context(authority, _data(user, "client-certificate"), _data(user, "client-key")),
        anonymous_tls=_context(authority, None, None),
        token=user.get("token"),
    )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(e for e in entries if e["name"] == name)


def _data(section: Mapping[str, Any], name: str) -> bytes | None:
    if encoded := section.get(f"{name}-data"):
        return base64.b64decode(encoded)
    return Path(section[name]).read_bytes() if section.get(name) else None


def _context(authority: bytes | None, certificate: bytes | None, key: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if certificate and key:
        with tempfile.NamedTemporaryFile(suffix=".pem") as both:
            both.write(certificate + b"\n" + key)
            both.flush()
            context.load_cert_chain(both.name)
    return context


class Client:
    """One who asks; every call checks the status it expects."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._session, self._url, self._headers = session, url, dict(headers)

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        content_type: str = "application/json",
        expect: Expected = "success",
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
    ) -> Json:
        """Send a request and return its JSON, or its text."""
        sent = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            sent["Content-Type"] = content_type
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        params = {k: str(v) for k, v in (query or {}).items()}
        async with self._session.request(method, self._url + path, data=data, params=params, headers=sent) as answer:
            text = await answer.text()
            if expect == "success":
                assert answer.status < 300, (answer.status, text[:600])
            elif expect != "any":
                assert answer.status == expect, (answer.status, text[:600])
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return json.loads(text) if is_json else text

    async def get(self, path: str, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.call("GET", path, expect=expect, query=query)

    async def post(self, path: str, body: Json, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.call("POST", path, body, expect=expect, query=query)

    async def put(self, path: str, body: Json, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.call("PUT", path, body, expect=expect, query=query)

    async def delete(self, path: str, body: Json = None, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.call("DELETE", path, body, expect=expect, query=query)

    async def patch(
        self, kind: str, path: str, body: Json, *, expect: Expected = "success", **query: str | int
    ) -> Json:
        return await self.call("PATCH", path, body, content_type=kind, expect=expect, query=query)

    async def merge(self, path: str, body: Json, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.patch(MERGE, path, body, expect=expect, **query)

    async def strategic(self, path: str, body: Json, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.patch(STRATEGIC, path, body, expect=expect, **query)

    async def json_patch(self, path: str, body: Json, *, expect: Expected = "success", **query: str | int) -> Json:
        return await self.patch(JSON_PATCH, path, body, expect=expect, **query)

    async def apply(
        self, path: str, body: Json, *, manager: str = "m1", force: bool = False, expect: Expected = "success"
    ) -> Json:
        forced: dict[str, str | int] = {"force": "true"} if force else {}
        return await self.patch(APPLY, path, body, expect=expect, fieldManager=manager, **forced)

    async def watch(self, path: str, *, most: int = 99, **query: str | int) -> list[Json]:
        """The events of a watch of at most three seconds, up to `most` of them."""
        params = {k: str(v) for k, v in {"watch": "true", "timeoutSeconds": 3, **query}.items()}
        events: list[Json] = []
        async with self._session.get(self._url + path, params=params, headers=self._headers) as answer:
            if answer.status != 200:
                return [{"type": "ERROR", "object": await answer.json()}]
            async for line in answer.content:
                if line.strip():
                    events.append(json.loads(line))
                if len(events) >= most:
                    break
        return events

    async def warnings(self, method: str, path: str, body: Json) -> list[str]:
        """The texts of the Warning headers of a write that succeeds; a PATCH is a merge."""
        headers = {**self._headers, "Content-Type": MERGE if method == "PATCH" else "application/json"}
        async with self._session.request(method, self._url + path, data=json.dumps(body), headers=headers) as answer:
            assert answer.status < 300, (answer.status, (await answer.text())[:600])
            texts = [w.removeprefix('299 - "')[:-1] for w in answer.headers.getall("Warning", [])]
            return [t.replace('\\"', '"').replace("\\\\", "\\") for t in texts]

    async def status_of(self, path: str) -> int:
        """The status code of a GET."""
        async with self._session.get(self._url + path, headers=self._headers) as answer:
            return answer.status


async def until(check: Callable[[], Awaitable[T]], *, seconds: float = 20) -> T:
    """What `check` returns as soon as that is true; failed assertions in it count as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if result := await check():
                return result
        except AssertionError as error:
            last = error
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {last}")


def config_map(name: str = "a", **data: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {k: str(v) for k, v in data.items()},
    }


def labelled(name: str, **labels: str) -> Json:
    return {**config_map(name), "metadata": {"name": name, "labels": labels}}


def deployment(name: str = "web", replicas: int = 2, image: str = "nginx:1.27") -> Json:
    containers = [
        {"name": "c", "image": image, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "d", "image": "busybox:1.36", "command": ["sleep", "3600"]},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}},
        },
    }


def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def replica_sets(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/replicasets"


def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"
