"""What is read of production before a trial."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.errors import NotFound
from aegis.model.refs import ObjectRef
from aegis.model.symptom import Manner, Signature
from aegis.shadow.survey import between_crashes, survey
from aegis.shadow.tools import TrialTools

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


def ref(kind: str, name: str = "web") -> ObjectRef:
    return ObjectRef(api_version="apps/v1" if kind == "Deployment" else "v1", kind=kind, name=name, namespace="shop")


def obj(kind: str, name: str = "web", **body: Any) -> Json:
    return {"apiVersion": ref(kind).api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body}


def deployment(**spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", **spec}]}}
    return obj("Deployment", spec={"template": template})


async def test_what_is_named_is_read_by_name_until_nothing_is_missing(fake: Any, tools: TrialTools) -> None:
    source = [{"configMapRef": {"name": "there"}}, {"secretRef": {"name": "gone"}}]
    fake.put(deployment(envFrom=source), obj("ConfigMap", "there", data={"DB": "db"}), obj("Service", "db", spec={}))
    seen = await survey(tools, ref("Deployment"), (), None)
    assert seen.found.named == (ref("ConfigMap", "there"),)
    assert seen.known[ref("Secret", "gone")] is None
    assert seen.found.services == (ref("Service", "db"),)
    assert seen.signature is None


async def test_a_target_that_is_not_there(tools: TrialTools) -> None:
    with pytest.raises(NotFound):
        await survey(tools, ref("Deployment"), (), None)


async def test_a_diagnosed_failure_is_taken_as_it_is(fake: Any, tools: TrialTools) -> None:
    fake.put(deployment())
    diagnosed = Signature(manner=Manner.PULL, line="x")
    assert (await survey(tools, ref("Deployment"), (), diagnosed)).signature == diagnosed


@pytest.mark.parametrize(("ready", "expected"), [(True, None), (False, Signature(manner=Manner.NO_ENDPOINTS))])
async def test_a_service_fails_where_nothing_is_behind_it(
    fake: Any, tools: TrialTools, ready: bool, expected: Signature | None
) -> None:
    fake.put(obj("Service", spec={"selector": {"app": "web"}}), deployment())
    labels = {"kubernetes.io/service-name": "web"}
    slices = {"kind": "EndpointSlice", "metadata": {"name": "web-1", "namespace": "shop", "labels": labels}}
    fake.put({**slices, "endpoints": [{"conditions": {"ready": ready}}]})
    assert (await survey(tools, ref("Service"), (), None)).signature == expected


async def test_a_pod_that_crashed_says_more_than_a_newer_one_that_is_only_starting(
    fake: Any, tools: TrialTools, make_crash: Any, make_well: Any
) -> None:
    owner = [{"kind": "ReplicaSet", "name": "web-abc"}]
    fake.put(deployment())
    for name, created in (("web-abc-1", "2026-01-01T00:00:00Z"), ("web-abc-2", "2026-01-01T00:00:01Z")):
        pod = obj("Pod", name, spec={"containers": [{"name": "web"}]})
        pod["metadata"] |= {"uid": name, "ownerReferences": owner, "creationTimestamp": created}
        (make_crash if name == "web-abc-1" else make_well)(pod)
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
        fake.put(pod)
    told = {"reason": "Unhealthy", "message": "Readiness probe failed: connection refused"}
    fake.put({**obj("Event", "e"), "involvedObject": {"kind": "Pod", "name": "web-abc-2", "uid": "web-abc-2"}, **told})
    seen = await survey(tools, ref("Deployment"), (), None)
    assert seen.signature is not None
    assert seen.signature.manner is Manner.CRASH


async def test_limit_ranges_come_along_since_they_shape_pods(fake: Any, tools: TrialTools) -> None:
    fake.put(deployment(), obj("LimitRange", "defaults", spec={"limits": []}))
    assert len((await survey(tools, ref("Deployment"), (), None)).limit_ranges) == 1


def pod(restarts: int, started: str = "2026-01-01T00:00:00Z") -> Json:
    return {"status": {"startTime": started, "containerStatuses": [{"name": "web", "restartCount": restarts}]}}


@pytest.mark.parametrize(
    ("pods", "scale", "expected"),
    [
        ([], 1.0, None),
        ([pod(0)], 1.0, None),
        ([pod(6)], 1.0, 600.0),
        ([pod(6), pod(12)], 1.0, 600.0),
        ([pod(6, "2026-01-01T00:59:00Z")], 60.0, 600.0),
        ([{"status": {}}], 1.0, None),
    ],
)
def test_the_time_between_crashes_is_nominal(pods: list[Json], scale: float, expected: float | None) -> None:
    assert between_crashes(pods, NOW, scale) == expected
