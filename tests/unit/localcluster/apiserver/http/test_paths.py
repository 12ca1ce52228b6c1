import pytest

from aegis.localcluster.apiserver.http.paths import ApiPath, parse_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("api/v1/pods", ApiPath(group="", version="v1", plural="pods")),
        ("api/v1/namespaces/n", ApiPath(group="", version="v1", plural="namespaces", name="n")),
        (
            "api/v1/namespaces/n/status",
            ApiPath(group="", version="v1", plural="namespaces", name="n", subresource="status"),
        ),
        ("api/v1/namespaces/n/pods", ApiPath(group="", version="v1", plural="pods", namespace="n")),
        (
            "api/v1/namespaces/n/pods/p/log",
            ApiPath(group="", version="v1", plural="pods", namespace="n", name="p", subresource="log"),
        ),
        ("apis/apps/v1/deployments", ApiPath(group="apps", version="v1", plural="deployments")),
        (
            "api/v1/nodes/n/proxy/x/y",
            ApiPath(group="", version="v1", plural="nodes", name="n", subresource="proxy/x/y"),
        ),
        ("api/v1", None),
        ("apis/apps", None),
        ("openapi/v2", None),
        ("", None),
    ],
)
def test_paths(path: str, expected: ApiPath | None) -> None:
    assert parse_path([p for p in path.split("/") if p]) == expected
