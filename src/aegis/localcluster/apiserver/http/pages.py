"""Paths outside of the resources: health, version, discovery and OpenAPI."""

from __future__ import annotations

import platform
from typing import Any

from aiohttp import web

from aegis.localcluster.apiserver import discovery
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import JSON, Reply, reply
from aegis.localcluster.apiserver.openapi import Documents
from aegis.localcluster.apiserver.refusals import NoSuchPath
from aegis.localcluster.apiserver.version import VERSION

_HEALTH = frozenset({"readyz", "livez", "healthz"})
_PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PROTOBUF_ASKED = (_PROTOBUF_V2, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""How clients ask for it; the older name is no media type by the RFC, so that the answer bears the newer one."""
_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Pages:
    """Answers what is no resource."""

    def __init__(self, core: Core) -> None:
        self._registry = core.registry
        self._documents = Documents(core.registry)

    def answer(self, parts: list[str], request: web.Request) -> Reply:
        """The page at a path.

        Raises:
            NoSuchPath: there is none.
        """
        accept = request.headers.get("Accept", "")
        match parts:
            case [check, *_] if check in _HEALTH:
                return Reply(body=b"ok", content_type="text/plain; charset=utf-8")
            case ["version"]:
                return reply(version_info())
            case ["openapi", *rest]:
                return self._openapi(rest, accept)
            case []:
                return reply({"paths": self._paths()})
            case ["api" | "apis", *rest]:
                return self._discovery(parts[0], rest, request)
            case _:
                raise NoSuchPath

    def _discovery(self, root: str, rest: list[str], request: web.Request) -> Reply:
        if not rest and _wants_aggregated(request.headers.get("Accept", "")):
            document = reply(discovery.aggregated(self._registry, core=root == "api"))
            return Reply(body=document.body, content_type=_AGGREGATED_TYPE)
        match root, rest:
            case "api", []:
                found: dict[str, Any] | None = discovery.api_versions(request.host)
            case "apis", []:
                found = discovery.group_list(self._registry)
            case "api", [version]:
                found = discovery.resource_list(self._registry, "", version)
            case "apis", [group]:
                found = discovery.group(self._registry, group)
            case "apis", [group, version]:
                found = discovery.resource_list(self._registry, group, version)
            case _:
                found = None
        if found is None:
            raise NoSuchPath
        return reply(found)

    def _openapi(self, rest: list[str], accept: str) -> Reply:
        match rest:
            case ["v2"]:
                protobuf = any(name in accept for name in _PROTOBUF_ASKED)
                body: bytes | None = self._documents.v2(protobuf=protobuf)
                return Reply(body=body or b"", content_type=_PROTOBUF_V2 if protobuf else JSON)
            case ["v3"]:
                body = self._documents.v3_index()
            case ["v3", *path]:
                body = self._documents.v3("/".join(path))
            case _:
                body = None
        if body is None:
            raise NoSuchPath
        return Reply(body=body)

    def _paths(self) -> list[str]:
        versions = [f"/apis/{g}/{v}" if g else f"/api/{v}" for g, v in discovery.group_versions(self._registry)]
        return ["/api", "/apis", *versions, "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]


def _wants_aggregated(accept: str) -> bool:
    """Whether the aggregated form is asked for, in the version that is served."""
    offers = [o.replace(" ", "").split(";") for o in accept.split(",")]
    return any({"as=APIGroupDiscoveryList", "v=v2"} <= set(o) for o in offers)


def version_info() -> dict[str, Any]:
    """`/version`."""
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{VERSION}+aegis-local",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{machine}",
    }
