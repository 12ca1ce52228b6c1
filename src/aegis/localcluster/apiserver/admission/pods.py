"""What a new pod gets from the cluster: its service account with a token, its priority, its tolerations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.objects import generated_name
from aegis.localcluster.apiserver.refusals import Forbidden, Invalid, forbidden_field
from aegis.localcluster.apiserver.store import Store

_DEFAULT_ACCOUNT = "default"
_SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATION_SECONDS = 300
_TOKEN_VOLUME, _TOKEN_PATH = "kube-api-access-", "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3607
_CLASSES = "priorityclasses.scheduling.k8s.io"


class PodDefaults:
    """ServiceAccount, Priority and DefaultTolerationSeconds admission."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutate(self, request: Request) -> None:
        """Complete a new pod.

        Raises:
            Forbidden: its service account or priority class does not exist.
        """
        if not request.creates("pods"):
            return
        spec: dict[str, Any] = request.new["spec"]
        self._account(request, spec)
        self._priority(request, spec)
        _tolerate(spec)

    def judge(self, request: Request) -> None:
        """Nothing to refuse any more."""

    def _account(self, request: Request, spec: dict[str, Any]) -> None:
        name = spec.get("serviceAccountName") or _DEFAULT_ACCOUNT
        account = self._store.get("serviceaccounts", (request.namespace, name))
        if account is None and name != _DEFAULT_ACCOUNT:
            why = f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
            raise Forbidden(request.resource, request.name, why)
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        secrets = account.get("imagePullSecrets") if account is not None else None
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(s) for s in secrets]
        if account is not None and _automounts(spec, account):
            _mount_token(spec)

    def _priority(self, request: Request, spec: dict[str, Any]) -> None:
        name = spec.get("priorityClassName")
        if name in _SYSTEM_PRIORITIES:
            value, policy = _SYSTEM_PRIORITIES[name], "PreemptLowerPriority"
        else:
            chosen = self._store.get(_CLASSES, (None, name)) if name else self._default_class()
            if name and chosen is None:
                raise Forbidden(request.resource, request.name, f"no PriorityClass with name {name} was found")
            value = int((chosen or {}).get("value", 0))
            policy = (chosen or {}).get("preemptionPolicy", "PreemptLowerPriority")
            if chosen is not None:
                spec["priorityClassName"] = chosen["metadata"]["name"]
        if spec.get("priority") not in {None, value}:
            cause = forbidden_field("spec.priority", "the integer value of priority must not be provided in pod spec")
            raise Invalid(request.resource, request.name, [cause])
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", policy)

    def _default_class(self) -> Any:
        return next((c for c in self._store.objects(_CLASSES) if c.get("globalDefault")), None)


def _automounts(spec: dict[str, Any], account: Mapping[str, Any]) -> bool:
    wanted = spec.get("automountServiceAccountToken")
    return bool(account.get("automountServiceAccountToken", True) if wanted is None else wanted)


def _mount_token(spec: dict[str, Any]) -> None:
    """Mount token, CA and namespace where programs look for them, except where something else is mounted."""
    name = generated_name(_TOKEN_VOLUME)
    mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
    mounted = False
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            mounts = container.get("volumeMounts") or []
            if all(m.get("mountPath") != _TOKEN_PATH for m in mounts):
                container["volumeMounts"] = [*mounts, dict(mount)]
                mounted = True
    if mounted:
        spec["volumes"] = [*(spec.get("volumes") or ()), {"name": name, "projected": _token_sources()}]


def _token_sources() -> dict[str, Any]:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "defaultMode": 0o644,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
    }


def _tolerate(spec: dict[str, Any]) -> None:
    tolerations = list(spec.get("tolerations") or ())
    for key in _TOLERATED:
        covered = any(
            t.get("key") in {None, "", key} and t.get("effect") in {None, "", "NoExecute"} for t in tolerations
        )
        if not covered:
            tolerations.append({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _TOLERATION_SECONDS,
            })
    spec["tolerations"] = tolerations
