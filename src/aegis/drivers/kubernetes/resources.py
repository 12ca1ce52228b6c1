"""Which resource serves which kind: the usual ones by heart, so that they cost no discovery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.errors import UsageError
from aegis.model.refs import Json, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One served resource.

    Attributes:
        api_version: `v1`, `apps/v1`.
        kind: `Deployment`.
        plural: `deployments`, as it stands in paths.
        namespaced: whether its objects live in namespaces.
        names: what a user may type besides plural and kind: singular and short names.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def full_name(self) -> str:
        """As in RBAC rules and messages: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path under which the server has it; without a namespace: over all of them.

        Raises:
            UsageError: if a name cannot stand in a path (a slash, a dot-dot).
        """
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def called(self, word: str) -> bool:
        """Whether a user's word (lower case, without group) means this resource."""
        return word in {self.plural, self.kind.lower(), *self.names}


def _segment(text: str) -> str:
    if text in {".", ".."} or any(char in "/%?#\\" or char.isspace() or not char.isprintable() for char in text):
        raise UsageError(f"not a name of an object: {text!r}")
    return text


def _rows() -> Iterable[Resource]:
    for line in _TABLE.strip().splitlines():
        api_version, kind, plural, scope, *names = line.split()
        yield Resource(
            api_version=api_version,
            kind=kind,
            plural=plural,
            namespaced=scope == "namespaced",
            names=tuple(names),
        )


_TABLE: Final = """
v1 Pod pods namespaced po
v1 Service services namespaced svc
v1 ConfigMap configmaps namespaced cm
v1 Secret secrets namespaced
v1 ServiceAccount serviceaccounts namespaced sa
v1 PersistentVolumeClaim persistentvolumeclaims namespaced pvc
v1 Endpoints endpoints namespaced ep
v1 Event events namespaced ev
v1 ReplicationController replicationcontrollers namespaced rc
v1 ResourceQuota resourcequotas namespaced quota
v1 LimitRange limitranges namespaced limits
v1 PodTemplate podtemplates namespaced
v1 Namespace namespaces cluster ns
v1 Node nodes cluster no
v1 PersistentVolume persistentvolumes cluster pv
apps/v1 Deployment deployments namespaced deploy
apps/v1 ReplicaSet replicasets namespaced rs
apps/v1 StatefulSet statefulsets namespaced sts
apps/v1 DaemonSet daemonsets namespaced ds
apps/v1 ControllerRevision controllerrevisions namespaced
batch/v1 Job jobs namespaced
batch/v1 CronJob cronjobs namespaced cj
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers namespaced hpa
policy/v1 PodDisruptionBudget poddisruptionbudgets namespaced pdb
networking.k8s.io/v1 Ingress ingresses namespaced ing
networking.k8s.io/v1 NetworkPolicy networkpolicies namespaced netpol
networking.k8s.io/v1 IngressClass ingressclasses cluster
discovery.k8s.io/v1 EndpointSlice endpointslices namespaced
coordination.k8s.io/v1 Lease leases namespaced
rbac.authorization.k8s.io/v1 Role roles namespaced
rbac.authorization.k8s.io/v1 RoleBinding rolebindings namespaced
rbac.authorization.k8s.io/v1 ClusterRole clusterroles cluster
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings cluster
storage.k8s.io/v1 StorageClass storageclasses cluster sc
scheduling.k8s.io/v1 PriorityClass priorityclasses cluster pc
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations cluster
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations cluster
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions cluster crd crds
apiregistration.k8s.io/v1 APIService apiservices cluster
events.k8s.io/v1 Event events namespaced ev
authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews cluster
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews cluster
"""

USUAL: Final = tuple(_rows())


def find_kind(known: Sequence[Resource], api_version: str, kind: str) -> Resource | None:
    """The resource of a kind; an empty version takes the first of that kind."""
    for resource in known:
        if resource.kind == kind and api_version in {resource.api_version, ""}:
            return resource
    return None


def find_word(known: Sequence[Resource], word: str) -> Resource | None:
    """The resource that a user's word means: `deploy`, `Deployment`, `deployments.apps`, `deployments.v1.apps`."""
    name, _, group = word.lower().partition(".")
    for resource in known:
        version = resource.api_version.rpartition("/")[2]
        if resource.called(name) and group in {"", resource.group, f"{version}.{resource.group}".rstrip(".")}:
            return resource
    return None


def parse_resource_list(data: Json) -> tuple[Resource, ...]:
    """The resources of an `APIResourceList` (GET /apis/GROUP/VERSION), without subresources."""
    api_version = str(data.get("groupVersion") or "")
    return tuple(
        Resource(
            api_version=api_version,
            kind=str(item["kind"]),
            plural=str(item["name"]),
            namespaced=bool(item.get("namespaced")),
            names=tuple(
                str(name).lower() for name in (item.get("singularName"), *(item.get("shortNames") or ())) if name
            ),
        )
        for item in data.get("resources") or ()
        if "/" not in str(item["name"])
    )


def parse_group_list(data: Json) -> dict[str, str]:
    """Each group of an `APIGroupList` (GET /apis) with its preferred version, as `apps` → `apps/v1`."""
    result: dict[str, str] = {}
    for group in data.get("groups") or ():
        preferred: Json = group.get("preferredVersion") or {}
        if preferred.get("groupVersion"):
            result[str(group["name"])] = str(preferred["groupVersion"])
    return result


def as_ref(resource: Resource) -> ObjectRef:
    """The kind alone, as `ClusterReader.resolve` returns it."""
    return ObjectRef(
        api_version=resource.api_version,
        kind=resource.kind,
        name="",
        namespace="" if resource.namespaced else "-",
    )
