from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.kube.pod_template import Reference, containers, pod_spec_of, references, template_labels, template_of

POD_SPEC: dict[str, Any] = {
    "serviceAccountName": "runner",
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "imagePullSecrets": [{"name": "registry"}],
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu-1"}],
    "volumes": [
        {
            "name": "config",
            "configMap": {"name": "settings", "items": [{"key": "a", "path": "a"}, {"key": "b", "path": "b"}]},
        },
        {"name": "tls", "secret": {"secretName": "cert", "optional": True}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}},
        {
            "name": "mixed",
            "projected": {
                "sources": [
                    {"configMap": {"name": "extra"}},
                    {"secret": {"name": "token", "items": [{"key": "t", "path": "t"}]}},
                    {"serviceAccountToken": {"path": "sa"}},
                ]
            },
        },
        {"name": "driver", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "csi-secret"}}},
    ],
    "initContainers": [{"name": "prepare", "envFrom": [{"configMapRef": {"name": "base"}}]}],
    "containers": [
        {
            "name": "web",
            "env": [
                {"name": "PLAIN", "value": "1"},
                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "auth", "key": "token", "optional": True}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "envFrom": [{"secretRef": {"name": "all"}}],
        }
    ],
}


def test_every_reference_is_found_with_its_place() -> None:
    assert references(POD_SPEC) == (
        Reference(kind="ServiceAccount", name="runner", path="serviceAccountName"),
        Reference(kind="PriorityClass", name="high", path="priorityClassName"),
        Reference(kind="RuntimeClass", name="gvisor", path="runtimeClassName"),
        Reference(kind="Secret", name="registry", optional=True, path="imagePullSecrets[registry]"),
        Reference(kind="ResourceClaim", name="gpu-1", path="resourceClaims[gpu]"),
        Reference(kind="ConfigMap", name="settings", key="a", path="volumes[config].configMap"),
        Reference(kind="ConfigMap", name="settings", key="b", path="volumes[config].configMap"),
        Reference(kind="Secret", name="cert", optional=True, path="volumes[tls].secret"),
        Reference(kind="PersistentVolumeClaim", name="disk", path="volumes[data].persistentVolumeClaim"),
        Reference(kind="ConfigMap", name="extra", path="volumes[mixed].projected.configMap"),
        Reference(kind="Secret", name="token", key="t", path="volumes[mixed].projected.secret"),
        Reference(kind="Secret", name="csi-secret", path="volumes[driver].csi.nodePublishSecretRef"),
        Reference(kind="ConfigMap", name="base", path="initContainers[prepare].envFrom[0].configMapRef"),
        Reference(kind="Secret", name="all", path="containers[web].envFrom[0].secretRef"),
        Reference(
            kind="ConfigMap", name="settings", key="mode", path="containers[web].env[MODE].valueFrom.configMapKeyRef"
        ),
        Reference(
            kind="Secret",
            name="auth",
            key="token",
            optional=True,
            path="containers[web].env[TOKEN].valueFrom.secretKeyRef",
        ),
    )


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        ("Pod", lambda spec: {"spec": spec}),
        ("Deployment", lambda spec: {"spec": {"template": {"spec": spec}}}),
        ("StatefulSet", lambda spec: {"spec": {"template": {"spec": spec}}}),
        ("Rollout", lambda spec: {"spec": {"template": {"spec": spec}}}),
        ("PodTemplate", lambda spec: {"template": {"spec": spec}}),
        ("CronJob", lambda spec: {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}),
    ],
)
def test_the_template_is_found_by_kind(kind: str, wrap: Any) -> None:
    assert pod_spec_of({"kind": kind, **wrap(POD_SPEC)}) == POD_SPEC


@pytest.mark.parametrize(
    "obj",
    [
        {"kind": "Service", "spec": {"selector": {}}},
        {"kind": "ConfigMap", "data": {}},
        {"kind": "Rollout", "spec": {"template": {"spec": {"source": "x"}}}},
        {"kind": "Deployment", "spec": {"template": "text"}},
        {},
    ],
)
def test_what_bears_no_pod_has_no_template(obj: dict[str, Any]) -> None:
    assert template_of(obj) is None
    assert pod_spec_of(obj) is None


def test_init_containers_come_first_and_know_their_place() -> None:
    assert [(at.path, at.index) for at in containers(POD_SPEC)] == [
        ("initContainers[prepare]", 0),
        ("containers[web]", 0),
    ]


def test_template_labels_are_those_of_the_pods() -> None:
    labelled = {
        "kind": "Deployment",
        "metadata": {"labels": {"app": "other"}},
        "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
    }
    assert template_labels(labelled) == {"app": "web"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([
                "containers",
                "env",
                "envFrom",
                "volumes",
                "name",
                "valueFrom",
                "configMapRef",
                "secret",
                "spec",
            ]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["containers", "volumes", "imagePullSecrets", "initContainers"]), _JSON))
def test_malformed_specs_never_raise(spec: dict[str, Any]) -> None:
    for reference in references(spec):
        assert reference.name
    containers(spec)
    template_of({"kind": "Deployment", "spec": {"template": {"spec": spec}}})
