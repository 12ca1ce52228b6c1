"""What every namespace is born with: the ServiceAccount `default` and the cluster's certificate authority."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, is_terminating, key_of

_MANAGER, _ROOT = "kube-controller-manager", "kube-root-ca.crt"
_WHY = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class ServiceAccountController:
    """Makes both in every namespace, and again when somebody deletes or changes them."""

    name = "serviceaccount-controller"
    watches = ("namespaces", "serviceaccounts", "configmaps")

    def __init__(self, api: ClusterApi, ca_pem: str) -> None:
        self._api, self._ca_pem = api, ca_pem

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The namespace, where its account or its certificate changed."""
        namespace, name = key_of(event.object)
        if event.resource == "namespaces":
            return [(name,)]
        return [(namespace,)] if name in {"default", _ROOT} else []

    def sync(self, key: Key) -> float | None:
        """Make what is missing.

        Raises:
            ApiError: a write was refused.
        """
        (namespace,) = key
        space = self._api.get("namespaces", None, namespace)
        if space is None or is_terminating(space):
            return None
        if self._api.get("serviceaccounts", namespace, "default") is None:
            account = _named("ServiceAccount", namespace, "default")
            self._api.create("serviceaccounts", account, manager=_MANAGER)
        self._publish(namespace)
        return None

    def _publish(self, namespace: str) -> None:
        wanted = _named("ConfigMap", namespace, _ROOT)
        wanted["metadata"]["annotations"] = {"kubernetes.io/description": _WHY}
        wanted["data"] = {"ca.crt": self._ca_pem}
        current = self._api.get("configmaps", namespace, _ROOT)
        if current is None:
            self._api.create("configmaps", wanted, manager=_MANAGER)
        elif current.get("data") != wanted["data"]:
            self._api.update("configmaps", wanted, manager=_MANAGER)


def _named(kind: str, namespace: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
