"""From a pod to what its sandbox runs."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.kubelet.images.registry import Entry
from aegis.localcluster.kubelet.pods.environment import ConfigError
from aegis.localcluster.kubelet.pods.launching import Surroundings, hostname, launch
from aegis.localcluster.kubelet.sandbox.launch import Launch, VolumeMount


def made(container: dict[str, Any] | None = None, image: Entry | None = None, **spec: Any) -> Launch:
    whole = {"name": "c", "command": ["run"], **(container or {})}
    pod = {
        "metadata": {"name": "web-0", "namespace": "shop", "uid": "u"},
        "spec": {"containers": [whole], **spec},
        "status": {"podIP": "10.244.1.2"},
    }
    around = Surroundings(services={"WEB_PORT": "x"}, prefix=None, lookup=lambda _resource, _name: None)
    return launch(pod, whole, image or Entry(workdir="/srv"), 3, around=around)


def file(launched: Launch, path: str) -> str:
    assert launched.root is not None
    return launched.root.files[path].text or ""


def test_the_whole_of_it() -> None:
    container = {
        "resources": {"limits": {"memory": "64Mi"}},
        "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 7},
        "env": [{"name": "SUB", "value": "one"}],
        "volumeMounts": [{"name": "v", "mountPath": "/data", "subPathExpr": "$(SUB)/x", "readOnly": True}],
    }
    found = made(container, shareProcessNamespace=True)
    assert (found.key, found.argv, found.cwd, found.identity.uid) == ("c.3", ("run",), "/srv", 7)
    assert (found.memory_limit, found.share_pids) == (64 << 20, True)
    assert (found.env["HOSTNAME"], found.env["WEB_PORT"], found.env["HOME"]) == ("web-0", "x", "/")
    assert found.root is not None
    assert found.root.read_only
    assert found.root.mounts == (VolumeMount(volume="v", path="/data", sub_path="one/x", read_only=True),)


def test_names_of_the_pod() -> None:
    found = made(hostname="db", subdomain="data", hostAliases=[{"ip": "10.0.0.9", "hostnames": ["old", "older"]}])
    assert "10.244.1.2\tdb.data.shop.svc.cluster.local\tdb\n" in file(found, "/etc/hosts")
    assert "10.0.0.9\told\tolder" in file(found, "/etc/hosts")
    assert hostname({"metadata": {"name": "x" * 80}, "spec": {}}) == "x" * 63


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"),
        ({"dnsPolicy": "Default"}, "nameserver 127.0.0.1\n"),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["192.0.2.1"], "searches": ["x"], "options": [{"name": "debug"}]},
            },
            "search x\nnameserver 192.0.2.1\noptions debug\n",
        ),
        (
            {"dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}},
            "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:1\n",
        ),
    ],
)
def test_resolver(spec: dict[str, Any], text: str) -> None:
    assert file(made(**spec), "/etc/resolv.conf") == text


def test_what_cannot_be_launched() -> None:
    with pytest.raises(ConfigError, match="no command specified"):
        made({"command": None})
    with pytest.raises(ConfigError, match="subPath"):
        made({"volumeMounts": [{"name": "v", "mountPath": "/d", "subPath": "../../etc"}]})
