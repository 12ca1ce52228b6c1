from __future__ import annotations

from typing import Any

import pytest

from aegis.kube.ownership import autoscaler_of, gitops_owner, managers_of, takes_over


def managed(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}


WEB = {
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "managedFields": [
            managed(
                "kubectl",
                {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {
                            "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}}
                        },
                    }
                },
            ),
            managed(
                "vpa",
                {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:resources": {}}}}}}},
            ),
        ],
    },
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {"name": "side", "image": "s"},
                    {"name": "web", "image": "w", "resources": {"limits": {"cpu": "1"}}},
                ]
            }
        },
    },
}


@pytest.mark.parametrize(
    ("pointer", "owners"),
    [
        ("/spec/replicas", {"kubectl"}),
        ("/spec/template/spec/containers/1/image", {"kubectl"}),
        ("/spec/template/spec/containers/1/resources/limits/cpu", {"vpa"}),
        ("/spec/template/spec/containers/0/image", set()),
        ("/spec/template", {"kubectl", "vpa"}),
        ("/spec/paused", set()),
        ("/spec/template/spec/containers/9/image", set()),
    ],
)
def test_a_field_is_owned_by_who_wrote_it(pointer: str, owners: set[str]) -> None:
    assert managers_of(WEB, pointer) == owners


@pytest.mark.parametrize(
    ("metadata", "owner", "app"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}}, "Argo CD", "shop"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux", "apps"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, "Flux", "web"),
        ({"annotations": {"meta.helm.sh/release-name": "web"}}, "Helm", "web"),
        ({"managedFields": [managed("argocd-controller", {})]}, "Argo CD", ""),
    ],
)
def test_the_marks_of_gitops_tools(metadata: dict[str, Any], owner: str, app: str) -> None:
    found = gitops_owner({"metadata": metadata})
    assert found is not None
    assert (found.owner, found.app) == (owner, app)


def test_an_object_without_marks_is_nobodys() -> None:
    assert gitops_owner(WEB) is None


@pytest.mark.parametrize(
    ("manager", "may"),
    [("kubectl", True), ("kubectl-client-side-apply", True), ("aegis", True), ("kubectlish", False), ("vpa", False)],
)
def test_only_what_a_person_typed_is_taken_over(manager: str, may: bool) -> None:
    assert takes_over(manager) is may


def test_an_autoscaler_is_found_by_its_target() -> None:
    hpa = {"metadata": {"namespace": "shop"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}
    elsewhere = {**hpa, "metadata": {"namespace": "other"}}
    assert autoscaler_of(WEB, [elsewhere, hpa]) is hpa
    assert autoscaler_of(WEB, [elsewhere]) is None


def marked(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", **metadata}}


def tracking(value: str) -> dict[str, Any]:
    return {"annotations": {"argocd.argoproj.io/tracking-id": value}}


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (tracking("web:apps/Deployment:shop/web"), ("Argo CD", "web", "Application", "")),
        (tracking("team-a_web:apps/Deployment:shop/web"), ("Argo CD", "web", "Application", "team-a")),
        (tracking("web"), ("Argo CD", "web", "Application", "")),
        (tracking("web:apps/Deployment:other/web"), None),
        (tracking("web:apps/StatefulSet:shop/web"), None),
        (tracking(":"), None),
        ({"labels": {"argocd.argoproj.io/instance": "web"}}, ("Argo CD", "web", "Application", "")),
        ({"labels": {"app.kubernetes.io/instance": "web"}}, None),
        (
            {"labels": {"app.kubernetes.io/instance": "web"}, "managedFields": [managed("argocd-controller", {})]},
            ("Argo CD", "web", "Application", ""),
        ),
        (
            {
                "annotations": {"meta.helm.sh/release-name": "old"},
                "labels": {"app.kubernetes.io/instance": "web"},
                "managedFields": [managed("argocd-controller", {}), managed("helm", {})],
            },
            ("Argo CD", "web", "Application", ""),
        ),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            ("Flux", "apps", "Kustomization", "flux"),
        ),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"},
                "annotations": {"meta.helm.sh/release-name": "web"},
            },
            ("Flux", "web", "HelmRelease", "shop"),
        ),
        ({"managedFields": [managed("kustomize-controller", {})]}, ("Flux", "", "Kustomization", "")),
        ({"managedFields": [managed("helm-controller", {})]}, ("Flux", "", "HelmRelease", "")),
        (
            {"annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}},
            ("Helm", "web", "Release", "shop"),
        ),
        ({"managedFields": [managed("helm", {})]}, ("Helm", "", "Release", "")),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, None),
        ({"managedFields": [{**managed("argocd-controller", {}), "subresource": "status"}]}, None),
        ({"managedFields": [managed("kubectl-client-side-apply", {}), managed("kube-controller-manager", {})]}, None),
    ],
)
def test_who_owns_it_and_what_that_is_called(metadata: dict[str, Any], found: tuple[str, str, str, str] | None) -> None:
    owner = gitops_owner(marked(**metadata))
    assert (owner and (owner.owner, owner.app, owner.kind, owner.namespace)) == found


def test_the_mark_of_an_object_of_the_core_group() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    service["metadata"] |= tracking("web:/Service:shop/web")  # type: ignore[operator]
    assert gitops_owner(service) is not None
