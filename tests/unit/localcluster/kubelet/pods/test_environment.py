"""Commands and environments."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.environment import ConfigError, command, environment, expand, service_environment

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x", "b": 'q"'}},
    "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}}}]},
    "status": {"podIP": "10.244.1.2"},
}
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "cm"): {"kind": "ConfigMap", "data": {"a": "1", "b.c": "2"}},
    ("secrets", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"hush").decode()}},
}
IMAGE = Entry(entrypoint=("run",), cmd=("all",), env={"PATH": "/bin", "OWN": "image"})


def lookup(resource: str, name: str) -> dict[str, Any] | None:
    return OBJECTS.get((resource, name))


def made(**container: Any) -> dict[str, str]:
    spec = {**POD["spec"]["containers"][0], **container}
    return environment(POD, spec, {"HOSTNAME": "p"}, image=IMAGE, lookup=lookup)


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ("run", "all")),
        ({"args": ["one"]}, ("run", "one")),
        ({"command": ["sh"]}, ("sh",)),
        ({"command": ["sh", "-c"], "args": ["echo $(X)"]}, ("sh", "-c", "echo 7")),
    ],
)
def test_command_and_args_over_the_image(container: dict[str, Any], argv: tuple[str, ...]) -> None:
    assert command(container, IMAGE, {"X": "7"}) == argv


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(A)", "1"),
        ("x$(A)$(A)", "x11"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$$", "$"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text: str, value: str) -> None:
    assert expand(text, {"A": "1"}) == value


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_text_without_dollars_stays(text: str) -> None:
    assert expand(text, {"A": "1"}) == text


def test_order_of_precedence() -> None:
    env = [
        {"name": "OWN", "value": "pod"},
        {"name": "B", "value": "$(a)-$(OWN)-$(LATER)"},
        {"name": "LATER", "value": "x"},
    ]
    found = made(envFrom=[{"configMapRef": {"name": "cm"}}, {"prefix": "S_", "secretRef": {"name": "s"}}], env=env)
    assert found["OWN"] == "pod"
    assert found["B"] == "1-pod-$(LATER)"
    assert found["S_k"] == "hush"
    assert found["HOSTNAME"] == "p"


def test_every_source_of_a_variable() -> None:
    sources = {
        "C": {"configMapKeyRef": {"name": "cm", "key": "a"}},
        "S": {"secretKeyRef": {"name": "s", "key": "k"}},
        "O": {"secretKeyRef": {"name": "gone", "key": "k", "optional": True}},
        "IP": {"fieldRef": {"fieldPath": "status.podIP"}},
        "L": {"fieldRef": {"fieldPath": "metadata.labels['app']"}},
        "CPU": {"resourceFieldRef": {"resource": "limits.cpu"}},
        "MEM": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
    }
    found = made(env=[{"name": name, "valueFrom": source} for name, source in sources.items()])
    assert {name: found.get(name) for name in sources} == {
        "C": "1", "S": "hush", "O": None, "IP": "10.244.1.2", "L": "x", "CPU": "2", "MEM": "64"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, 'configmap "gone" not found'),
        ({"envFrom": [{"secretRef": {"name": "gone"}}]}, 'secret "gone" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            'secret "gone" not found',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "z"}}}]},
            "couldn't find key z in ConfigMap ns/cm",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "z"}}}]},
            "couldn't find key z in Secret ns/s",
        ),
    ],
)
def test_what_is_missing_is_named_as_the_kubelet_does(container: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**container)
    assert str(caught.value) == message


def test_an_optional_source_may_be_missing() -> None:
    assert "a" not in made(envFrom=[{"configMapRef": {"name": "gone", "optional": True}}])


def service(name: str, namespace: str, address: str = "10.96.0.9") -> dict[str, Any]:
    ports = [{"name": "web-ui", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address, "ports": ports}}


def test_service_variables() -> None:
    env = service_environment(
        [service("my-web", "ns"), service("other", "far"), service("bare", "ns", "None")], "ns", links=True
    )
    assert env["MY_WEB_SERVICE_HOST"] == "10.96.0.9"
    assert env["MY_WEB_SERVICE_PORT_WEB_UI"] == "80"
    assert env["MY_WEB_PORT"] == "tcp://10.96.0.9:80"
    assert env["MY_WEB_PORT_53_UDP_PROTO"] == "udp"
    assert not [name for name in env if name.startswith(("OTHER", "BARE"))]


def test_without_links_only_the_api_server_is_named() -> None:
    both = [service("my-web", "ns"), service("kubernetes", "default", "10.96.0.1")]
    assert {name.split("_")[0] for name in service_environment(both, "ns", links=False)} == {"KUBERNETES"}
