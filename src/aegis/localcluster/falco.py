"""The `falco` DaemonSet: one pod a node that writes down what the runtime watch sees there.

Names and labels are those of the official chart, so that whoever looks for Falco finds it; `FALCO_JSON_OUTPUT=false`
on its container makes the alerts lines of text, which is the chart's own default.
"""

from __future__ import annotations

from aegis.localcluster.api import ClusterApi, Object

NAMESPACE = NAME = "falco"
IMAGE = "docker.io/falcosecurity/falco:0.44.1"

_MANAGER = "aegis-local"
_SELECTED = {"app.kubernetes.io/name": "falco", "app.kubernetes.io/instance": "falco"}
_LABELS = {**_SELECTED, "app.kubernetes.io/version": "0.44.1", "app.kubernetes.io/managed-by": _MANAGER}


def deploy_falco(api: ClusterApi) -> None:
    """Create the namespace and the DaemonSet.

    Raises:
        ApiError: the server refused an object.
    """
    # What the chart's documentation asks for where Pod Security is enforced.
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    api.create("namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}}, manager=_MANAGER)
    api.create("daemonsets.apps", _daemon_set(), manager=_MANAGER)


def _daemon_set() -> Object:
    hostname = {"name": "FALCO_HOSTNAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    container = {
        "name": NAME,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [hostname, {"name": "FALCO_JSON_OUTPUT", "value": "true"}],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _SELECTED},
            "template": {
                "metadata": {"labels": _SELECTED},
                "spec": {
                    "containers": [container],
                    "tolerations": [{"operator": "Exists"}],
                    "priorityClassName": "system-node-critical",
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                },
            },
        },
    }
