"""As whom a container runs."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.environment import ConfigError
from aegis.localcluster.kubelet.pods.security import DEFAULT_CAPABILITIES, identity
from aegis.localcluster.kubelet.sandbox.launch import Identity, RootFile

ROOT = Entry()


def of(container: dict[str, Any] | None = None, pod: dict[str, Any] | None = None, image: Entry = ROOT) -> Identity:
    metadata = {"name": "p", "namespace": "ns", "uid": "u"}
    spec = {"securityContext": pod or {}, "containers": []}
    return identity({"metadata": metadata, "spec": spec}, {"name": "c", "securityContext": container or {}}, image)


def test_users() -> None:
    users = Entry(user="web:web", files={"/etc/passwd": RootFile(text="root:x:0:0::/:\nweb:x:101:101::/:\n")})
    assert of().uid == 0
    assert (of(pod={"runAsUser": 5, "runAsGroup": 6}).uid, of(pod={"runAsUser": 5, "runAsGroup": 6}).gid) == (5, 6)
    assert of({"runAsUser": 7}, {"runAsUser": 5}).uid == 7
    assert of(image=Entry(user="10:20")).gid == 20
    assert of(image=users).uid == 101
    assert of(pod={"fsGroup": 3, "supplementalGroups": [9]}).groups == (3, 9)


@pytest.mark.parametrize(
    ("context", "image", "message"),
    [
        ({}, ROOT, 'container has runAsNonRoot and image will run as root (pod: "p_ns(u)", container: c)'),
        ({"runAsUser": 0}, ROOT, 'container\'s runAsUser breaks non-root policy (pod: "p_ns(u)", container: c)'),
        (
            {},
            Entry(user="web", files={"/etc/passwd": RootFile(text="web:x:5:5::/:\n")}),
            'container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root (pod: "p_ns(u)", container: c)',
        ),
    ],
)
def test_not_root(context: dict[str, Any], image: Entry, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of({"runAsNonRoot": True, **context}, image=image)
    assert str(caught.value) == message


def test_not_root_is_satisfied_by_a_number() -> None:
    assert of({"runAsNonRoot": True, "runAsUser": 8}).uid == 8
    assert of({"runAsNonRoot": True}, image=Entry(user="9")).uid == 9


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, DEFAULT_CAPABILITIES),
        ({"drop": ["ALL"]}, set()),
        ({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, {"NET_BIND_SERVICE"}),
        ({"drop": ["CAP_CHOWN"]}, DEFAULT_CAPABILITIES - {"CHOWN"}),
        ({"add": ["SYS_TIME", "MADE_UP"]}, DEFAULT_CAPABILITIES | {"SYS_TIME"}),
    ],
)
def test_capabilities(asked: dict[str, Any], kept: set[str]) -> None:
    assert set(of({"capabilities": asked}).capabilities) == kept


def test_privileges() -> None:
    assert of({"allowPrivilegeEscalation": False}).no_new_privileges
    assert "SYS_ADMIN" in of({"privileged": True}).capabilities
