import pytest

from aegis.kube.merge_schema import is_atomic_map, is_open_map, key_default, list_rule, replaces_map, retains_keys

POD = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("kind", "path", "keys"),
    [
        ("Deployment", (*POD, "containers"), ("name",)),
        ("Pod", ("spec", "containers", "ports"), ("containerPort", "protocol")),
        ("Service", ("spec", "ports"), ("port", "protocol")),
        ("CronJob", ("spec", "jobTemplate", *POD, "initContainers", "env"), ("name",)),
        ("Deployment", (*POD, "topologySpreadConstraints"), ("topologyKey", "whenUnsatisfiable")),
        ("Deployment", (*POD, "imagePullSecrets"), ("name",)),
        ("Node", ("status", "addresses"), ("type",)),
        ("Pod", ("metadata", "ownerReferences"), ("uid",)),
    ],
)
def test_associative_lists(kind: str, path: tuple[str, ...], keys: tuple[str, ...]) -> None:
    rule = list_rule(kind, path)
    assert rule is not None
    assert rule.keys == keys
    assert rule.merge_key == keys[0]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("EndpointSlice", ("ports",)),
        ("NetworkPolicy", ("spec", "ingress", "ports")),
        ("ServiceAccount", ("imagePullSecrets",)),
        ("Namespace", ("spec", "finalizers")),
        ("Pod", ("spec", "containers", "args")),
        ("EndpointSlice", ("endpoints", "addresses")),
    ],
)
def test_lists_that_are_replaced(kind: str, path: tuple[str, ...]) -> None:
    assert list_rule(kind, path) is None


def test_a_jobs_conditions_merge_in_patches_and_not_in_apply() -> None:
    rule = list_rule("Job", ("status", "conditions"))
    assert rule is not None
    assert (rule.keys, rule.merge_key) == ((), "type")


def test_maps() -> None:
    assert is_atomic_map("Deployment", ("spec", "selector"))
    assert is_atomic_map("Pod", ("spec", "nodeSelector"))
    assert is_atomic_map("Pod", ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"))
    assert not is_atomic_map("Pod", ("metadata", "labels"))
    assert is_open_map(("metadata", "labels"))
    assert not is_open_map(("spec",))
    assert key_default("protocol") == "TCP"
    assert retains_keys("Deployment", ("spec", "strategy"))
    assert not retains_keys("DaemonSet", ("spec", "updateStrategy"))
    assert replaces_map("PodDisruptionBudget", ("spec", "selector"))
