from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.evidence.ledger import Ledger, event_tier, spec_hash_of
from aegis.model.drift import spec_hash
from aegis.model.evidence import Tier
from aegis.model.refs import ObjectRef

POD = ObjectRef(api_version="v1", kind="Pod", name="web", namespace="shop")


def _obj(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **more}


def test_a_secret_keeps_its_keys_and_nothing_of_its_values() -> None:
    ledger = Ledger()
    annotated = _obj("Secret", "db", data={"password": "aHVudGVyMg==", "user": "cm9vdA=="}, type="Opaque")
    annotated["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}'
    }

    ledger.object(annotated)
    (item,) = ledger.evidence()

    assert item.payload["data"] == {"password": "", "user": ""}
    assert "aHVudGVyMg" not in str(item.payload)


def test_the_spec_hash_is_that_of_the_live_object_although_the_evidence_is_redacted() -> None:
    live = _obj(
        "Deployment",
        "web",
        spec={"replicas": 3, "template": {"spec": {"containers": [{"env": [{"name": "API_TOKEN", "value": "x1"}]}]}}},
    )
    ledger = Ledger()

    ledger.object(live)
    (item,) = ledger.evidence()

    assert "x1" not in str(item.payload)
    assert spec_hash_of(item.payload) == spec_hash(live)
    assert spec_hash_of(item.payload, autoscaled=True) == spec_hash(live, autoscaled=True) != spec_hash(live)


def test_secrets_in_logs_events_and_alerts_are_taken_out() -> None:
    ledger = Ledger()
    ledger.log(POD, "web", "login with password=hunter2")
    ledger.event({
        "type": "Warning",
        "reason": "Failed",
        "message": "token: hunter2hunter2",
        "involvedObject": {"kind": "Pod", "name": "web"},
    })
    ledger.alert(POD, "alert", {"text": "password=hunter2"})

    assert "hunter2" not in str(ledger.evidence())


@pytest.mark.parametrize(
    ("source", "tier"),
    [
        ({"source": {"component": "kubelet"}}, Tier.EVENT),
        ({"reportingComponent": "default-scheduler"}, Tier.EVENT),
        ({"source": {"component": "my-app"}}, Tier.ANNOTATION),
        ({}, Tier.ANNOTATION),
    ],
)
def test_an_event_is_trusted_as_far_as_its_component(source: dict[str, Any], tier: Tier) -> None:
    assert event_tier({"reason": "Failed", **source}) is tier


def test_the_first_of_a_name_wins_and_what_has_no_name_is_not_taken() -> None:
    ledger = Ledger()

    assert ledger.object(_obj("Pod", "web", spec={"a": 1}))
    assert not ledger.object(_obj("Pod", "web", spec={"a": 2}))
    assert not ledger.object({"kind": "Pod", "metadata": {}})
    assert [item.payload["spec"] for item in ledger.evidence()] == [{"a": 1}]


def test_silence_is_no_evidence() -> None:
    ledger = Ledger()
    ledger.log(POD, "web", "\n \n")

    assert ledger.evidence() == ()


@given(st.permutations(["a", "b", "c", "d"]))
def test_ids_do_not_depend_on_the_order_of_reading(names: list[str]) -> None:
    ledger = Ledger()
    for name in names:
        ledger.object(_obj("Pod", name))
        ledger.log(ObjectRef(api_version="v1", kind="Pod", name=name, namespace="shop"), "c", f"I am {name}")

    found = [(item.id, item.source, item.subject.name) for item in ledger.evidence()]

    assert found == [
        (f"e{i}", source, name)
        for i, (source, name) in enumerate([(s, n) for s in ("object", "log") for n in "abcd"], 1)
    ]
