"""The words of Pod Security admission."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.kube.pod_security import CONTROLS, pod_of
from aegis.localcluster.apiserver.admission.podsecurity import policy
from aegis.localcluster.apiserver.admission.violations import violations

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(name: str = "c", context: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "securityContext": {**SAFE, **(context or {})}, **more}


def told(level: str, *containers: dict[str, Any], **spec: Any) -> list[str]:
    metadata = {"annotations": spec.pop("annotations", {})}
    template = {"metadata": metadata, "spec": {"containers": list(containers or [container()]), **spec}}
    return [f"{v.reason} ({v.detail})" for v in violations(level, pod_of(template))]


def context(**fields: Any) -> dict[str, Any]:
    return container(context=fields)


@pytest.mark.parametrize(
    ("containers", "spec", "expected"),
    [
        ([], {"hostPID": True, "hostIPC": True}, "host namespaces (hostPID=true, hostIPC=true)"),
        (
            [container("a", {"privileged": True}), container("b", {"privileged": True})],
            {},
            'privileged (containers "a", "b" must not set securityContext.privileged=true)',
        ),
        (
            [container(ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 81}])],
            {},
            'hostPort (container "c" uses hostPorts 8080, 81)',
        ),
        (
            [container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}})],
            {},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "10.0.0.1")',
        ),
        (
            [context(procMount="Unmasked")],
            {},
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            [context(seLinuxOptions={"type": "spc_t", "user": "u"})],
            {"securityContext": {"seLinuxOptions": {"role": "r"}}},
            (
                'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
                "user may not be set; role may not be set)"
            ),
        ),
        (
            [],
            {
                "securityContext": {
                    "sysctls": [{"name": "net.core.somaxconn", "value": "1"}, {"name": "a.b", "value": "1"}]
                }
            },
            "forbidden sysctls (a.b, net.core.somaxconn)",
        ),
        (
            [],
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            [context(appArmorProfile={"type": "Unconfined"})],
            {"annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}},
            (
                'forbidden AppArmor profiles (container "c" and annotation must not set AppArmor profile type to '
                '"Unconfined", "container.apparmor.security.beta.kubernetes.io/c="unconfined"")'
            ),
        ),
    ],
)
def test_what_both_levels_say(containers: list[Any], spec: dict[str, Any], expected: str) -> None:
    assert told("baseline", *containers, **dict(spec)) == [expected]
    assert told("restricted", *containers, **dict(spec)) == [expected]


@pytest.mark.parametrize(
    ("containers", "spec", "expected"),
    [
        (
            [context(capabilities={"drop": [], "add": ["CHOWN", "SYS_ADMIN"]})],
            {},
            (
                'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; '
                'container "c" must not include "CHOWN", "SYS_ADMIN" in securityContext.capabilities.add)'
            ),
        ),
        (
            [],
            {"volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "nfs": {"server": "x"}}]},
            'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")',
        ),
        (
            [context(runAsNonRoot=False)],
            {},
            'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
        ),
        (
            [context(runAsNonRoot=None)],
            {"securityContext": {"runAsNonRoot": False}},
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
        ),
        (
            [context(runAsUser=0)],
            {"securityContext": {"runAsUser": 0}},
            'runAsUser=0 (pod and container "c" must not set runAsUser=0)',
        ),
        (
            [context(seccompProfile={"type": "Unconfined"})],
            {},
            'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            [container("a", {"seccompProfile": None}), container("b", {"seccompProfile": None})],
            {},
            (
                'seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to '
                '"RuntimeDefault" or "Localhost")'
            ),
        ),
    ],
)
def test_what_restricted_says(containers: list[Any], spec: dict[str, Any], expected: str) -> None:
    assert told("restricted", *containers, **spec) == [expected]


values = st.sampled_from([
    None,
    True,
    False,
    0,
    1000,
    "Unmasked",
    {"type": "Unconfined"},
    {"add": ["SYS_ADMIN"]},
    {"drop": ["ALL"]},
])
fields = st.sampled_from([*SAFE, "privileged", "procMount", "runAsUser", "seLinuxOptions", "appArmorProfile"])


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(fields, values, max_size=4),
    st.dictionaries(st.sampled_from(["hostPID", "hostUsers"]), st.booleans()),
)
def test_every_fault_of_a_level_is_told(given: dict[str, Any], spec: dict[str, Any]) -> None:
    template = {"spec": {"containers": [{"name": "c", "securityContext": given}], **spec}}
    pod = pod_of(template)
    for level, controls in (
        ("privileged", []),
        ("baseline", [c for c in CONTROLS if c.level == "baseline"]),
        ("restricted", list(CONTROLS)),
    ):
        assert bool(violations(level, pod)) is any(list(c.check(pod)) for c in controls)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "privileged:latest"),
        ({"enforce": "baseline", "enforce-version": "v1.30"}, "baseline:v1.30"),
        ({"enforce": "baseline", "warn-version": "v1.31"}, "baseline:v1.31"),
        ({"enforce": "restricted", "warn": "baseline"}, "baseline:latest"),
        ({"enforce": "restricted", "warn": "privileged"}, "privileged:latest"),
    ],
)
def test_warnings_are_as_strict_as_what_is_enforced_unless_they_say_otherwise(
    labels: dict[str, str], expected: str
) -> None:
    named = {f"pod-security.kubernetes.io/{k}": v for k, v in labels.items()}
    assert str(policy(named, "warn")) == expected
