"""`ClusterReader` over one API server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC
from typing import Any, Final

from aegis.drivers.kubernetes.faults import Doing
from aegis.drivers.kubernetes.gateway import Gateway, call_on
from aegis.drivers.kubernetes.resources import Resource, as_ref
from aegis.drivers.kubernetes.transport import Call, Refusal, Transport
from aegis.drivers.kubernetes.watch import Watcher, list_all
from aegis.errors import Invalid, NotFound, PermissionDenied, Unavailable
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Access, Cluster, LogQuery, ObjectEvent, User

_LOCAL_MARK: Final = "+aegis-local"
_NOT_FOUND: Final = 404
_SLOWEST: Final = 0.1
_FASTEST: Final = 10_000.0


class KubernetesReader(Gateway):
    """Reads one cluster."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._cluster: Cluster | None = None

    async def cluster(self) -> Cluster:
        """Which cluster this is; asked once."""
        if self._cluster is None:
            uid = await self._uid()
            version = await self._json(
                Call(doing=Doing(verb="get", resource="/version"), method="GET", path="/version", repeatable=True)
            )
            git_version = str(version.get("gitVersion") or "")
            local = await self._local_facts() if git_version.endswith(_LOCAL_MARK) and self.endpoint.loopback else None
            self._cluster = Cluster(
                uid=uid,
                server=self.endpoint.server,
                context=self.endpoint.context,
                version=git_version,
                embedded=local is not None,
                time_scale=_time_scale(local or {}),
                gaps=tuple(line for line in str((local or {}).get("notEnforced") or "").splitlines() if line.strip()),
            )
        return self._cluster

    async def _uid(self) -> str:
        """Of the namespace kube-system; empty for whoever may not see that, as one with a role in a single namespace."""
        try:
            namespace = await self.get(ObjectRef(api_version="v1", kind="Namespace", name="kube-system"))
        except PermissionDenied:
            return ""
        return str(namespace["metadata"]["uid"])

    async def whoami(self) -> User:
        """Who the API server says the caller is.

        Raises:
            Unavailable: if the server is too old to say (SelfSubjectReview).
        """
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self._review(review)
        except NotFound as error:
            raise Unavailable("the cluster cannot say who you are", hint="Use Kubernetes 1.28 or newer.") from error
        info = (answer.get("status") or {}).get("userInfo") or {}
        return User(name=str(info.get("username") or ""), groups=tuple(map(str, info.get("groups") or ())))

    async def allowed(self, access: Access) -> bool:
        """Whether the caller may do it."""
        full_name, _, subresource = access.resource.partition("/")
        resource, _, group = full_name.partition(".")
        attributes = {
            "verb": access.verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": access.namespace,
            "name": access.name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        return (await self._review(review)).get("status", {}).get("allowed") is True

    async def resolve(self, kind: str) -> ObjectRef:
        """The kind that a user's word means."""
        return as_ref(await self._catalogue.by_word(kind))

    async def get(self, ref: ObjectRef) -> JsonObject:
        """The object, whole."""
        resource = await self._catalogue.by_kind(ref.api_version, ref.kind)
        return await self._json(call_on(resource, "get", "GET", ref, repeatable=True))

    async def find(self, ref: ObjectRef) -> JsonObject | None:
        """The object, or None."""
        try:
            return await self.get(ref)
        except NotFound:
            return None

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        """All objects of a kind, paged through."""
        try:
            resource = await self._catalogue.by_kind(api_version, kind)
            call = _collection(resource, "list", namespace=namespace, labels=labels, fields=fields)
            return (await list_all(self._transport, call, resource)).objects
        except NotFound:
            return []
        except Refusal as refusal:
            if refusal.code == _NOT_FOUND:
                return []
            raise refusal.translated() from None

    async def watch(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncGenerator[ObjectEvent, None]:
        """What is there, then each change, until closed."""
        resource = await self._catalogue.by_kind(api_version, kind)
        call = _collection(resource, "watch", namespace=namespace, labels=labels, fields=fields)
        watcher = Watcher(self._transport, call, resource)
        async with aclosing(watcher.events()) as events:
            async for event in events:
                yield event

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        """A container's output, never more than `query.limit_bytes`.

        Raises:
            NotFound: if the pod, the container's run, or its log is not there.
        """
        since = query.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if query.since else ""
        resource = await self._catalogue.by_kind("v1", "Pod")
        call = Call(
            doing=Doing(verb="get", resource="pods/log", namespace=namespace, name=pod),
            method="GET",
            path=resource.path(namespace, pod, "log"),
            query={
                "container": query.container,
                "previous": "true" if query.previous else "",
                "sinceTime": since,
                "tailLines": "" if query.tail_lines is None else str(query.tail_lines),
                "limitBytes": str(query.limit_bytes),
                "timestamps": "true" if query.timestamps else "",
            },
            repeatable=True,
            limit_bytes=query.limit_bytes + (1 << 20),
        )
        try:
            body = await self._transport.read(call)
        except Refusal as refusal:
            error = refusal.translated()
            if isinstance(error, Invalid):  # "previous terminated container … not found", "… is waiting to start"
                raise NotFound(error.message) from None
            raise error from None
        return body[: query.limit_bytes].decode("utf-8", "replace")

    async def _review(self, review: Json) -> JsonObject:
        resource = await self._catalogue.by_kind(str(review["apiVersion"]), str(review["kind"]))
        doing = Doing(verb="create", resource=resource.full_name)
        return await self._json(Call(doing=doing, method="POST", path=resource.path(), body=review, repeatable=True))

    async def _local_facts(self) -> Mapping[str, Any] | None:
        ref = ObjectRef(api_version="v1", kind="ConfigMap", name="aegis-local-cluster", namespace="kube-public")
        found = await self.find(ref)
        return (found.get("data") or {}) if found else None


def _collection(resource: Resource, verb: str, *, namespace: str, labels: str, fields: str) -> Call:
    return Call(
        doing=Doing(verb=verb, resource=resource.full_name, namespace=namespace),
        method="GET",
        path=resource.path(namespace),
        query={"labelSelector": labels, "fieldSelector": fields},
        repeatable=True,
    )


def _time_scale(facts: Mapping[str, Any]) -> float:
    try:
        scale = float(facts.get("timeScale") or 1.0)
    except ValueError:
        return 1.0
    return scale if _SLOWEST <= scale <= _FASTEST else 1.0
