"""Every control of the Pod Security Standards: what it allows, what it does not, in every kind of container."""

from typing import Any

import pytest

from aegis.kube.pod_security import CONTROLS, pod_of

Json = dict[str, Any]

GOOD: Json = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}


def pod(group: str = "containers", *, container: Json | None = None, context: Json | None = None, **spec: Any) -> Json:
    """A pod that meets the restricted standard but for what is given."""
    bad = {"name": "it", "securityContext": {**GOOD, **(context or {})}, **(container or {})}
    spec.setdefault("containers", [{"name": "main", "securityContext": GOOD}])
    spec[group] = [bad, *spec.get(group, [])]
    return {"metadata": {"annotations": spec.pop("annotations", {})}, "spec": spec}


def faults(template: Json) -> set[str]:
    found = pod_of(template)
    return {control.id for control in CONTROLS if list(control.check(found))}


def test_a_restricted_pod_has_no_fault() -> None:
    assert faults(pod()) == set()


def test_an_ordinary_pod_meets_baseline_and_not_restricted() -> None:
    found = pod_of({"spec": {"containers": [{"name": "web", "image": "nginx"}]}})
    levels = {control.level for control in CONTROLS if list(control.check(found))}
    assert levels == {"restricted"}


CONTEXTS: list[tuple[str, Json, set[str]]] = [
    ("host process", {"windowsOptions": {"hostProcess": True}}, {"host-process"}),
    ("privileged", {"privileged": True}, {"privileged"}),
    ("a capability", {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}, {"capabilities"}),
    ("a default capability", {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}, {"drop-capabilities"}),
    ("the one capability", {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}, set()),
    ("not all dropped", {"capabilities": {"drop": ["NET_RAW"]}}, {"drop-capabilities"}),
    ("no AppArmor", {"appArmorProfile": {"type": "Unconfined"}}, {"apparmor"}),
    ("a profile", {"appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}}, set()),
    ("a SELinux type", {"seLinuxOptions": {"type": "spc_t"}}, {"selinux"}),
    ("the engine's type", {"seLinuxOptions": {"type": "container_engine_t"}}, set()),
    ("a SELinux user", {"seLinuxOptions": {"user": "sysadm_u"}}, {"selinux"}),
    ("a SELinux role", {"seLinuxOptions": {"role": "sysadm_r"}}, {"selinux"}),
    ("a SELinux level", {"seLinuxOptions": {"level": "s0:c1"}}, set()),
    ("an unmasked /proc", {"procMount": "Unmasked"}, {"proc-mount"}),
    ("the default /proc", {"procMount": "Default"}, set()),
    ("no seccomp", {"seccompProfile": {"type": "Unconfined"}}, {"seccomp"}),
    ("a local seccomp", {"seccompProfile": {"type": "Localhost"}}, set()),
    ("escalation", {"allowPrivilegeEscalation": True}, {"privilege-escalation"}),
    ("escalation unsaid", {"allowPrivilegeEscalation": None}, {"privilege-escalation"}),
    ("root allowed", {"runAsNonRoot": False}, {"run-as-non-root"}),
    ("user 0", {"runAsUser": 0}, {"run-as-user"}),
    ("user 1000", {"runAsUser": 1000}, set()),
]


@pytest.mark.parametrize("group", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize(("name", "context", "expected"), CONTEXTS, ids=[row[0] for row in CONTEXTS])
def test_security_contexts_of_every_container(name: str, context: Json, expected: set[str], group: str) -> None:
    assert faults(pod(group, context=context)) == expected


@pytest.mark.parametrize("group", ["containers", "initContainers"])
@pytest.mark.parametrize("place", ["livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"])
@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket"])
def test_probes_and_hooks_ask_the_pod_itself(group: str, place: str, kind: str) -> None:
    for host, expected in (("10.0.0.1", {"probe-host"}), ("", set())):
        handler = {kind: {"port": 80, "host": host}}
        owner = {"lifecycle": {place: handler}} if place.startswith("p") else {place: handler}
        assert faults(pod(group, container=owner)) == expected


@pytest.mark.parametrize("port", [{"containerPort": 80, "hostPort": 0}, {"containerPort": 80}])
def test_a_port_that_is_not_the_hosts(port: Json) -> None:
    assert faults(pod(container={"ports": [port]})) == set()


def test_a_host_port() -> None:
    assert faults(pod(container={"ports": [{"containerPort": 80, "hostPort": 8080}]})) == {"host-ports"}


SPECS: list[tuple[str, Json, set[str]]] = [
    ("host network", {"hostNetwork": True}, {"host-namespaces"}),
    ("host pid", {"hostPID": True}, {"host-namespaces"}),
    ("host ipc", {"hostIPC": True}, {"host-namespaces"}),
    ("not the host's", {"hostNetwork": False, "hostPID": None}, set()),
    ("host path", {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, {"host-path"}),
    ("nfs", {"volumes": [{"name": "v", "nfs": {}}]}, {"volume-types"}),
    ("image", {"volumes": [{"name": "v", "image": {"reference": "x"}}]}, set()),
    ("empty", {"volumes": [{"name": "v", "emptyDir": {}}]}, set()),
    ("claim", {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}, set()),
    ("a sysctl", {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, {"sysctls"}),
    ("a safe one", {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}}, set()),
    ("a pod's host process", {"securityContext": {"windowsOptions": {"hostProcess": True}}}, {"host-process"}),
    ("a pod's AppArmor", {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, {"apparmor"}),
    ("a pod's SELinux", {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, {"selinux"}),
    ("a pod's seccomp", {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, {"seccomp"}),
    ("a pod's user 0", {"securityContext": {"runAsUser": 0}}, {"run-as-user"}),
]


@pytest.mark.parametrize(("name", "spec", "expected"), SPECS, ids=[row[0] for row in SPECS])
def test_the_pod_itself(name: str, spec: Json, expected: set[str]) -> None:
    assert faults(pod(**spec)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("unconfined", {"apparmor"}), ("runtime/default", set()), ("localhost/x", set()), ("", set())],
)
def test_the_old_annotation_of_apparmor(value: str, expected: set[str]) -> None:
    annotations = {"container.apparmor.security.beta.kubernetes.io/it": value, "other": "unconfined"}
    assert faults(pod(annotations=annotations)) == expected


UNSAID = {"runAsNonRoot": None, "seccompProfile": None}


def test_what_the_pod_says_holds_for_containers_that_do_not() -> None:
    said = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert faults(pod(context=UNSAID, securityContext=said)) == set()
    assert faults(pod(context=UNSAID)) == {"run-as-non-root", "seccomp-required"}


def test_a_container_may_not_contradict_the_pod() -> None:
    assert faults(pod(context={"runAsNonRoot": False}, securityContext={"runAsNonRoot": True})) == {"run-as-non-root"}


LINUX = {"allowPrivilegeEscalation": None, "seccompProfile": None, "capabilities": None}


def test_windows_knows_no_linux_controls() -> None:
    assert faults(pod(context=LINUX, os={"name": "windows"})) == set()
    assert len(faults(pod(context=LINUX, os={"name": "linux"}))) == 3


def test_a_user_namespace_makes_root_harmless_and_nothing_else() -> None:
    context = {"runAsNonRoot": False, "runAsUser": 0, "procMount": "Unmasked"}
    assert faults(pod(context=context, hostUsers=False)) == {"proc-mount-restricted"}
    assert faults(pod(context=context, hostUsers=True)) == {"run-as-non-root", "run-as-user", "proc-mount"}


@pytest.mark.parametrize("junk", [None, "x", 3, [], {}, {"spec": None}, {"spec": {"containers": "x", "volumes": "y"}}])
def test_what_is_malformed_does_not_break_the_scan(junk: Any) -> None:
    faults(junk if isinstance(junk, dict) else {"spec": junk})


@pytest.mark.parametrize(
    ("context", "control"),
    [
        ({"procMount": {"a": 1}}, "proc-mount"),
        ({"seccompProfile": {"type": ["x"]}}, "seccomp"),
        ({"seLinuxOptions": {"type": {"a": 1}}}, "selinux"),
        ({"appArmorProfile": {"type": []}}, "apparmor"),
    ],
)
def test_a_value_of_an_odd_type_is_a_fault_and_no_crash(context: dict[str, Any], control: str) -> None:
    pod = pod_of({
        "metadata": {"annotations": {"a": ["b"]}},
        "spec": {"containers": [{"name": "c", "securityContext": context}]},
    })
    assert control in {c.id for c in CONTROLS if list(c.check(pod))}
