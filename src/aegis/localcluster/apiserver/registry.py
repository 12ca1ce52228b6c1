"""Which resources the server knows: the built-in ones, and those that CustomResourceDefinitions add.

Names, scopes, short names, categories and subresources are those of Kubernetes 1.36's discovery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis.localcluster.status import ApiError

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomType:
    """What a CustomResourceDefinition says of one served version.

    Attributes:
        schema: the structural schema (openAPIV3Schema).
        columns: additionalPrinterColumns, or an empty tuple.
        scale: the `scale` subresource's paths, or None.
        selectable: the dotted paths of selectableFields.
    """

    schema: Mapping[str, Any]
    columns: tuple[Mapping[str, Any], ...] = ()
    scale: Mapping[str, Any] | None = None
    selectable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource in one version.

    Attributes:
        storage: the name under which its objects are kept; two resources may show the same objects.
        custom: set for the resources of CustomResourceDefinitions only.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    storage: str = ""
    custom: CustomType | None = field(default=None, compare=False)

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """`deployments.apps`, or `pods` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """`Deployment.apps`, as error messages name a kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def stored_as(self) -> str:
        """The store's name for its objects."""
        return self.storage or self.full_name

    def has_status(self) -> bool:
        """Whether the status is a subresource of its own."""
        return "status" in self.subresources


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object stands: its resource, its namespace (ignored where the resource has none) and its name."""

    resource: Resource
    namespace: str | None
    name: str

    @property
    def key(self) -> tuple[str | None, str]:
        """The store's key within the resource."""
        return (self.namespace if self.resource.namespaced else None, self.name)


def _core(plural: str, kind: str, *subresources: str, **more: Any) -> Resource:
    return Resource(group="", version="v1", plural=plural, kind=kind, subresources=subresources, **more)


def _in(group: str, plural: str, kind: str, *subresources: str, **more: Any) -> Resource:
    version = more.pop("version", "v1")
    return Resource(group=group, version=version, plural=plural, kind=kind, subresources=subresources, **more)


_POD_SUBRESOURCES = (
    "attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize", "status",
)  # fmt: skip
_RBAC = "rbac.authorization.k8s.io"
_NET = "networking.k8s.io"
_ALL = ("all",)
_CLUSTER = {"namespaced": False}
_MEASURED = {"version": "v1beta1", "verbs": ("get", "list"), "storage": "metrics.k8s.io"}
"""Computed where they are asked for: there is no such storage."""

BUILTIN: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", "finalize", "status", short_names=("ns",), **_CLUSTER),
    _core("pods", "Pod", *_POD_SUBRESOURCES, short_names=("po",), categories=_ALL),
    _core("configmaps", "ConfigMap", short_names=("cm",)),
    _core("secrets", "Secret"),
    _core("services", "Service", "proxy", "status", short_names=("svc",), categories=_ALL),
    _core("events", "Event", short_names=("ev",)),
    _core("nodes", "Node", "proxy", "status", short_names=("no",), **_CLUSTER),
    _core("serviceaccounts", "ServiceAccount", "token", short_names=("sa",)),
    _core("resourcequotas", "ResourceQuota", "status", short_names=("quota",)),
    _core("limitranges", "LimitRange", short_names=("limits",)),
    _core("endpoints", "Endpoints", short_names=("ep",)),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", "status", short_names=("pvc",)),
    _core("persistentvolumes", "PersistentVolume", "status", short_names=("pv",), **_CLUSTER),
    _core("podtemplates", "PodTemplate"),
    _core(
        "replicationcontrollers", "ReplicationController", "scale", "status", short_names=("rc",), categories=_ALL
    ),
    _in("apps", "deployments", "Deployment", "scale", "status", short_names=("deploy",), categories=_ALL),
    _in("apps", "replicasets", "ReplicaSet", "scale", "status", short_names=("rs",), categories=_ALL),
    _in("apps", "statefulsets", "StatefulSet", "scale", "status", short_names=("sts",), categories=_ALL),
    _in("apps", "daemonsets", "DaemonSet", "status", short_names=("ds",), categories=_ALL),
    _in("apps", "controllerrevisions", "ControllerRevision"),
    _in("batch", "jobs", "Job", "status", categories=_ALL),
    _in("batch", "cronjobs", "CronJob", "status", short_names=("cj",), categories=_ALL),
    _in(_NET, "networkpolicies", "NetworkPolicy", short_names=("netpol",)),
    _in(_NET, "ingresses", "Ingress", "status", short_names=("ing",)),
    _in(_NET, "ingressclasses", "IngressClass", **_CLUSTER),
    _in(_RBAC, "roles", "Role"),
    _in(_RBAC, "rolebindings", "RoleBinding"),
    _in(_RBAC, "clusterroles", "ClusterRole", **_CLUSTER),
    _in(_RBAC, "clusterrolebindings", "ClusterRoleBinding", **_CLUSTER),
    _in(
        "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", "status",
        short_names=("crd", "crds"), categories=("api-extensions",), **_CLUSTER,
    ),
    _in("policy", "poddisruptionbudgets", "PodDisruptionBudget", "status", short_names=("pdb",)),
    _in(
        "autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "status",
        version="v1", short_names=("hpa",), categories=_ALL,
    ),
    _in(
        "autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "status",
        version="v2", short_names=("hpa",), categories=_ALL,
    ),
    _in("coordination.k8s.io", "leases", "Lease"),
    _in("events.k8s.io", "events", "Event", short_names=("ev",), storage="events"),
    _in("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    _in("scheduling.k8s.io", "priorityclasses", "PriorityClass", short_names=("pc",), **_CLUSTER),
    _in("node.k8s.io", "runtimeclasses", "RuntimeClass", **_CLUSTER),
    _in("storage.k8s.io", "storageclasses", "StorageClass", short_names=("sc",), **_CLUSTER),
    _in("metrics.k8s.io", "nodes", "NodeMetrics", **_MEASURED, **_CLUSTER),
    _in("metrics.k8s.io", "pods", "PodMetrics", **_MEASURED),
    _in(
        "admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
        categories=("api-extensions",), **_CLUSTER,
    ),
    _in(
        "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
        categories=("api-extensions",), **_CLUSTER,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewKind:
    """A question that is answered and never stored: where it stands in the API."""

    group: str
    plural: str
    kind: str
    namespaced: bool = False


_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"

REVIEWS: tuple[ReviewKind, ...] = (
    ReviewKind(_AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ReviewKind(_AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview"),
    ReviewKind(_AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
    ReviewKind(_AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ReviewKind(_AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview"),
    ReviewKind(_AUTHENTICATION, "tokenreviews", "TokenReview"),
)


class Registry:
    """The resources served now.

    Attributes:
        generation: grows whenever they change.
    """

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_name: dict[str, Resource] = {}
        self.generation = 0
        for resource in BUILTIN:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._by_path.values()))

    def add(self, resource: Resource) -> None:
        """Serve a resource, or replace its definition."""
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self._by_name[resource.full_name] = resource
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Stop serving every version of a resource."""
        for key in [k for k in self._by_path if k[0] == group and k[2] == plural]:
            self._by_name.pop(self._by_path.pop(key).full_name, None)
            self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path of the API, or None."""
        return self._by_path.get((group, version, plural))

    def named(self, full_name: str) -> Resource:
        """The resource that kubectl calls by this full name.

        Raises:
            ApiError: 404 where no such resource is served.
        """
        try:
            return self._by_name[full_name]
        except KeyError:
            raise ApiError(404, "NotFound", "the server could not find the requested resource") from None

    def kept(self, resource: Resource) -> Resource:
        """The resource in whose version the objects of this one are kept and checked.

        Raises:
            ApiError: 404 where nothing is kept.
        """
        return resource if resource.custom else self.named(resource.stored_as)

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind in an apiVersion, or None."""
        return next((r for r in self._by_path.values() if r.kind == kind and r.api_version == api_version), None)
