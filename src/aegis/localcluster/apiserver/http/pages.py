"""Paths outside of the resources: health, version, discovery and OpenAPI."""

from __future__ import annotations

import platform
from typing import Any

from aiohttp import web

from aegis.localcluster.apiserver import discovery
from aegis.localcluster.apiserver.core import VERSION, Core
from aegis.localcluster.apiserver.http.call import Reply, reply
from aegis.localcluster.apiserver.refusals import NoSuchPath

_HEALTH = frozenset({"readyz", "livez", "healthz"})
_AGGREGATED = "as=APIGroupDiscoveryList"
_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Pages:
    """Answers what is no resource."""

    def __init__(self, core: Core) -> None:
        self._registry = core.registry

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
            case []:
                return reply({"paths": self._paths()})
            case ["api" | "apis"] if _AGGREGATED in accept and "v=v2;" in f"{accept};".replace(",", ";"):
                return self._aggregated(core=parts == ["api"])
            case ["api"]:
                return reply(discovery.api_versions(request.host))
            case ["apis"]:
                return reply(discovery.group_list(self._registry))
            case ["api", "v1"]:
                return _found(discovery.resource_list(self._registry, "", "v1"))
            case ["apis", group]:
                return _found(discovery.group(self._registry, group))
            case ["apis", group, version]:
                return _found(discovery.resource_list(self._registry, group, version))
            case _:
                raise NoSuchPath

    def _aggregated(self, *, core: bool) -> Reply:
        document = reply(discovery.aggregated(self._registry, core=core))
        return Reply(body=document.body, content_type=_AGGREGATED_TYPE)

    def _paths(self) -> list[str]:
        versions = [f"/apis/{g}/{v}" if g else f"/api/{v}" for g, v in discovery.group_versions(self._registry)]
        return ["/api", "/apis", *versions, "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]


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


def _found(document: dict[str, Any] | None) -> Reply:
    if document is None:
        raise NoSuchPath
    return reply(document)
