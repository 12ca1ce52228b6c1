"""The kubeconfig by which clients reach the cluster; its file is readable by its owner alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from aegis.localcluster.apiserver.tls import KeyPair

CONTEXT = "aegis-local"


def kubeconfig(server: str, authority: bytes, client: KeyPair, namespace: str = "default") -> dict[str, Any]:
    """The document, for an administrator who shows a client certificate."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": _data(authority)}}],
        "users": [
            {
                "name": f"{CONTEXT}-admin",
                "user": {
                    "client-certificate-data": _data(client.certificate),
                    "client-key-data": _data(client.key),
                },
            }
        ],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": f"{CONTEXT}-admin", "namespace": namespace}}
        ],
        "current-context": CONTEXT,
    }


def write_kubeconfig(path: Path, document: dict[str, Any]) -> None:
    """Write it whole or not at all, with mode 0600."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    fresh.replace(path)


def _data(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
