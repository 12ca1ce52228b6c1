"""All scanners on a workload with changes: what they are given, and what is held against what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from slow_scanner import SlowScanner

from aegis.errors import NotFound, UsageError
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.report import ScannerOutcome
from aegis.model.scan import Image, Manifests, Runtime
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.ports import Cluster
from aegis.security import run_security_checks
from aegis.security.scanners.podsecurity import PLUGIN

WEB: JsonObject = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7"},
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "app", "image": "web:1"}, {"name": "side", "image": "side:1"}]}},
    },
    "status": {"replicas": 1},
}


@dataclass(kw_only=True)
class Env:
    namespace: str = ""
    source_namespace: str = "shop"
    source_resource: str = "web"
    source_resource_kind: str = "deploy"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Reader:
    def __init__(self, *objects: JsonObject, embedded: bool = False) -> None:
        self.objects = {ObjectRef.of(obj): obj for obj in objects}
        self.embedded = embedded

    async def cluster(self) -> Cluster:
        return Cluster(uid="u", server="https://127.0.0.1", context="", version="v1.36", embedded=self.embedded)

    async def resolve(self, kind: str) -> ObjectRef:
        assert kind == "deploy"
        return ObjectRef(api_version="apps/v1", kind="Deployment", name="")

    async def get(self, ref: ObjectRef) -> JsonObject:
        if ref not in self.objects:
            raise NotFound(f"{ref} is not there")
        return self.objects[ref]

    async def find(self, ref: ObjectRef) -> JsonObject | None:
        return self.objects.get(ref)

    async def list(self, *_kind: str, **_where: Any) -> list[JsonObject]:
        return []


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SlowScanner:
    """A scanner that remembers what it was given, beside the one of the Pod Security Standards."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    scanner = SlowScanner(kinds=(Image, Manifests, Runtime))
    scanner.go.set()
    monkeypatch.setattr("aegis.security.runner.discover", lambda *_: (PLUGIN, scanner))
    use(monkeypatch, Reader(WEB))
    return scanner


def use(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
    @asynccontextmanager
    async def connect(_options: object) -> AsyncIterator[Reader]:
        yield reader

    monkeypatch.setattr("aegis.security.checks.connect", connect)


def references(scanner: SlowScanner) -> list[str]:
    return [subject.reference for subject in scanner.asked if isinstance(subject, Image)]


async def test_the_baseline_is_the_workload_as_it_is(look: SlowScanner) -> None:
    report = await run_security_checks(Env(), {"image": "web:2"}, baseline=True)
    assert references(look) == ["web:1", "side:1"]
    assert report.comparison is None
    (manifests,) = [subject for subject in look.asked if isinstance(subject, Manifests)]
    assert "status" not in manifests.objects[0]
    assert "uid" not in manifests.objects[0]["metadata"]


async def test_changes_are_held_against_the_workload_as_it_is(look: SlowScanner) -> None:
    report = await run_security_checks(Env(), {"image": "web:2", "container": "app", "replicas": 3})
    assert sorted(references(look)) == ["side:1", "web:1", "web:2"]  # what is on both sides once
    assert report.comparison is not None
    assert report.comparison.new == ()
    assert report.passed
    assert report.to_dict()["findings"]  # what was there before is shown, and fails nothing


async def test_what_a_change_brings_in_fails_it(look: SlowScanner) -> None:
    privileged = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "securityContext": {"privileged": True}}]}}},
    }
    report = await run_security_checks(Env(), {"manifests": [privileged]})
    assert not report.passed
    assert report.blocked
    assert report.verdicts["podsecurity"].outcome is ScannerOutcome.FAILED
    assert {item.rule_id for item in report.verdicts["podsecurity"].objections} == {"pss-baseline-privileged"}
    assert "side:1" in references(look)  # the other container is still there


async def test_an_object_that_is_new_is_all_new(look: SlowScanner) -> None:
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: extra}\nspec: {template: {spec: {hostNetwork: true, containers: [{name: a, image: j:1}]}}}\n"
    report = await run_security_checks(Env(), {"manifests": job})
    assert "j:1" in references(look)
    assert report.comparison is not None
    assert "pss-baseline-host-namespaces" in {item.rule_id for item in report.comparison.new}


async def test_its_shadow_is_looked_at_from_when_it_was_made(look: SlowScanner) -> None:
    env = Env(namespace="aegis-shadow-1")
    await run_security_checks(env, {})
    (window,) = [subject for subject in look.asked if isinstance(subject, Runtime)]
    assert (window.namespace, window.since) == ("aegis-shadow-1", env.created_at)
    look.asked.clear()
    await run_security_checks(Env(), {})
    assert not [subject for subject in look.asked if isinstance(subject, Runtime)]


async def test_images_of_the_embedded_registry_have_no_layers(
    look: SlowScanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Reader(WEB, embedded=True))
    await run_security_checks(Env())
    assert all(subject.layerless for subject in look.asked if isinstance(subject, Image))


async def test_what_is_not_there_or_not_understood_is_said(look: SlowScanner) -> None:
    with pytest.raises(NotFound):
        await run_security_checks(Env(source_resource="api"))
    with pytest.raises(UsageError):
        await run_security_checks(Env(), {"immage": "x"})


async def test_what_aegis_itself_did_in_the_shadow_is_shown_as_its_own(
    look: SlowScanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(pod: str) -> SecurityFinding:
        subject = ObjectRef(api_version="v1", kind="Pod", name=pod, namespace="aegis-shadow-1")
        words: dict[str, Any] = {"source": "falco", "rule_id": "connection", "title": "t", "description": "d"}
        return SecurityFinding(**words, severity=Severity.HIGH, subject=subject, category=Category.RUNTIME)

    falco = SlowScanner(name="falco", kinds=(Runtime,), findings={"manifests": (seen("aegis-reach"), seen("web-1"))})
    falco.go.set()
    monkeypatch.setattr("aegis.security.runner.discover", lambda *_: (falco,))
    report = await run_security_checks(Env(namespace="aegis-shadow-1"))
    assert [item.finding.subject.name for item in report.suppressed] == ["aegis-reach"]
    assert [item.subject.name for item in report.verdicts["falco"].objections] == ["web-1"]
