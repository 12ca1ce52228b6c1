"""Calls to an API server below HTTP, for unit tests of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http import routing
from aegis.localcluster.apiserver.http.call import Call, Reply
from aegis.localcluster.apiserver.server import ApiServer

ADMIN = User(name="admin", groups=("system:masters", "system:authenticated"))


@dataclass
class Api:
    """Calls the server as a client does, below HTTP."""

    core: Core
    server: ApiServer
    user: User = ADMIN
    namespace: str = "default"
    warnings: list[str] = field(default_factory=list)

    def call(self, verb: str, resource: str, name: str | None = None, body: Any = None, **more: Any) -> Reply:
        found = self.core.registry.named(resource)
        query = {k: str(v) for k, v in more.pop("query", {}).items()}
        call = Call(
            user=more.pop("user", self.user),
            verb=verb,
            resource=found,
            namespace=more.pop("namespace", self.namespace if found.namespaced else None),
            name=name,
            body=body,
            query=query,
            **more,
        )
        return routing.answer(self.core, call)

    def json(self, verb: str, resource: str, name: str | None = None, body: Any = None, **more: Any) -> Any:
        return json.loads(self.call(verb, resource, name, body, **more).body)

    def apply(
        self, resource: str, body: Mapping[str, Any], manager: str = "m1", *, force: bool = False, **more: Any
    ) -> Any:
        query = {"fieldManager": manager, **({"force": "true"} if force else {}), **more.pop("query", {})}
        kind = "application/apply-patch+yaml"
        return self.json(
            "patch", resource, body["metadata"]["name"], dict(body), content_type=kind, query=query, **more
        )


def fresh_api() -> Api:
    """A new server, that does not listen, and an administrator's calls to it."""
    server = ApiServer()
    return Api(server._core, server)
