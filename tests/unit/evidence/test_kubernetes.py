from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aegis.errors import NotFound, PermissionDenied
from aegis.evidence.kubernetes import KubernetesEvidence
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import Access, Cluster, EvidenceRequest, LogQuery, ObjectEvent, User

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Reader:
    """A cluster of given objects that counts what it is asked."""

    def __init__(self, *objects: JsonObject, forbidden: tuple[str, ...] = ()) -> None:
        self.objects = objects
        self.forbidden = forbidden
        self.lists: Counter[tuple[str, str]] = Counter()
        self.read_logs: list[tuple[str, str, bool]] = []

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        self.lists[kind, namespace] += 1
        if kind in self.forbidden:
            raise PermissionDenied(f"may not list {kind}")
        return [
            dict(o) for o in self.objects if o["kind"] == kind and namespace in {"", o["metadata"].get("namespace", "")}
        ]

    async def get(self, ref: ObjectRef) -> JsonObject:
        for obj in self.objects:
            if (obj["kind"], obj["metadata"]["name"]) == (ref.kind, ref.name):
                return obj
        raise NotFound(f"{ref} is not there")

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        self.read_logs.append((pod, query.container, query.previous))
        return f"{pod} says {'before' if query.previous else 'now'}"

    async def find(self, ref: ObjectRef) -> JsonObject | None:
        raise NotImplementedError

    async def cluster(self) -> Cluster:
        raise NotImplementedError

    async def whoami(self) -> User:
        raise NotImplementedError

    async def allowed(self, access: Access) -> bool:
        raise NotImplementedError

    async def resolve(self, kind: str) -> ObjectRef:
        raise NotImplementedError

    def watch(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncIterator[ObjectEvent]:
        raise NotImplementedError


def _pod(
    name: str, *, ready: bool, restarts: int = 0, spec: JsonObject | None = None, namespace: str = "shop"
) -> JsonObject:
    state: JsonObject = {"running": {}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}
    status: JsonObject = {"name": "web", "ready": ready, "restartCount": restarts, "state": state}
    if restarts:
        status["lastState"] = {"terminated": {"exitCode": 1}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec or {"containers": [{"name": "web"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status],
        },
    }


async def _collect(reader: Reader, target: ObjectRef | None, *namespaces: str) -> list[Evidence]:
    source = KubernetesEvidence(reader, clock=lambda: NOW)
    return list(await source.collect(EvidenceRequest(target=target, namespaces=namespaces)))


def _target(name: str, kind: str = "Pod") -> ObjectRef:
    return ObjectRef(api_version="v1", kind=kind, name=name, namespace="shop")


async def test_each_kind_is_listed_once_a_namespace() -> None:
    reader = Reader(*(_pod(f"web-{i}", ready=False, restarts=2) for i in range(20)))

    await _collect(reader, _target("web-3"), "shop")

    assert set(reader.lists.values()) == {1}
    assert {namespace for kind, namespace in reader.lists if kind != "Node"} == {"shop"}


async def test_what_is_well_needs_few_reads() -> None:
    reader = Reader(_pod("web", ready=True))

    found = await _collect(reader, _target("web"), "shop")

    assert sum(reader.lists.values()) <= 8
    assert reader.read_logs == [("web", "web", False)]
    assert [item.source for item in found] == ["object", "log", "note"]
    assert found[0].observed_at == NOW


async def test_logs_of_both_runs_of_what_crashed_and_never_of_everything() -> None:
    reader = Reader(
        *(_pod(f"other-{i:02}", ready=False, restarts=1) for i in range(30)), _pod("web", ready=False, restarts=9)
    )

    await _collect(reader, _target("web"), "shop")

    assert {("web", "web", True), ("web", "web", False)} <= set(reader.read_logs)
    assert len(reader.read_logs) <= 2 * 16


async def test_a_refused_read_is_a_note() -> None:
    spec = {"containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "db"}}]}]}
    reader = Reader(_pod("web", ready=False, restarts=1, spec=spec), forbidden=("Secret", "Event"))

    found = await _collect(reader, _target("web"), "shop")

    notes = [item.summary for item in found if item.source == "note" and "listed" not in item.payload]
    assert sorted(notes) == ["could not list Events: may not list Event", "could not list Secrets: may not list Secret"]


async def test_secrets_are_read_only_where_a_pod_names_one_and_then_without_values() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "shop"},
        "data": {"key": "c2VjcmV0"},
    }
    spec = {"containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "db"}}]}]}

    without, naming = Reader(_pod("web", ready=True), secret), Reader(_pod("web", ready=True, spec=spec), secret)
    await _collect(without, _target("web"), "shop")
    found = await _collect(naming, _target("web"), "shop")

    assert ("Secret", "shop") not in without.lists
    (kept,) = (item for item in found if item.subject.kind == "Secret")
    assert kept.payload["data"] == {"key": ""}


async def test_a_target_that_is_not_there_is_noted() -> None:
    found = await _collect(Reader(), _target("gone"), "shop")

    assert "Pod/gone in shop is not there" in [item.summary for item in found]


async def test_an_address_leads_into_another_namespace() -> None:
    spec = {"containers": [{"name": "web", "env": [{"name": "DB", "value": "http://db.data.svc.cluster.local:80"}]}]}
    reader = Reader(_pod("web", ready=True, spec=spec), _pod("db", ready=True, namespace="data"))

    found = await _collect(reader, _target("web"), "shop")

    assert "db" in {item.subject.name for item in found}


async def test_without_a_namespace_the_whole_cluster_is_read() -> None:
    reader = Reader(_pod("web", ready=True), _pod("db", ready=False, namespace="data"))

    found = await _collect(reader, None)

    assert {item.subject.namespace for item in found if item.source == "object"} == {"shop", "data"}
    listed = next(item for item in found if "listed" in item.payload)
    assert {"kind": "Pod", "namespace": "*"} in listed.payload["listed"]


async def test_the_same_cluster_gives_the_same_evidence() -> None:
    objects = [_pod(f"web-{i}", ready=i % 2 == 0, restarts=i) for i in range(6)]

    first = await _collect(Reader(*objects), None, "shop")
    second = await _collect(Reader(*reversed(objects)), None, "shop")

    assert first == second
