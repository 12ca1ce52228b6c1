"""One privileged Pod, written in the ways by which some scanner was seen to miss it, or was told to."""

from __future__ import annotations

import json

POD = """apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: app
    image: nginx:1.27
    securityContext:
      privileged: true
"""

HARMLESS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: first
data:
  a: b
"""

_ITEM = "".join(f"  {line}\n" for line in POD.splitlines())
_LIST = f"apiVersion: v1\nkind: List\nitems:\n- {_ITEM[2:]}"
_JSON = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "nginx:1.27", "securityContext": {"privileged": True}}]},
}
_IGNORED = POD.replace("privileged: true", "privileged: true  # nosemgrep  #trivy:ignore:*")
_SKIPPED = POD.replace("  name: web\n", "  name: web\n  annotations: {checkov.io/skip1: CKV_K8S_16=fine}\n")
_ANCHOR = POD.replace("metadata:", "on: &on true\nmetadata:").replace("privileged: true", "privileged: *on")
_MERGE = POD.replace("metadata:", "base: &base\n  privileged: true\nmetadata:").replace(
    "privileged: true\n", "<<: *base\n"
)
_MERGE = _MERGE.replace("base: &base\n  <<: *base\n", "base: &base\n  privileged: true\n")

EVASIONS: dict[str, bytes] = {
    "a comment after the separator": f"{HARMLESS}--- # c\n{POD}".encode(),
    "blanks after the separator": f"{HARMLESS}---   \n{POD}".encode(),
    "a List": _LIST.encode(),
    "a YAML directive": f"%YAML 1.1\n---\n{POD}".encode(),
    "a duplicate key": POD.replace("privileged: true", "privileged: false\n      privileged: true").encode(),
    "yes for true": POD.replace("privileged: true", "privileged: yes").encode(),
    "an anchor": _ANCHOR.encode(),
    "a merge": _MERGE.encode(),
    "a tag": POD.replace("privileged: true", 'privileged: !!bool "true"').encode(),
    "CRLF between documents": f"{HARMLESS}---\n{POD}".replace("\n", "\r\n").encode(),
    "flow style": json.dumps(_JSON).encode(),
    "UTF-16": POD.encode("utf-16"),
    "comments that tell to look away": f"# trivy:ignore:KSV-0017\n# checkov:skip=CKV_K8S_16\n{_IGNORED}".encode(),
    "an annotation that tells to look away": _SKIPPED.encode(),
}
"""Fourteen, by what is odd about each; each holds the privileged container `app` of Pod `web`."""

REFUSED = frozenset({"a duplicate key"})
"""Those that two readers read in two ways: they are refused before any scanner sees them."""
