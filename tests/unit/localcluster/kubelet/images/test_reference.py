"""Image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.images.reference import InvalidReferenceError, normalise

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("team/app", "docker.io/team/app:latest"),
        ("ghcr.io/team/app:v1", "ghcr.io/team/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("registry:5000/app", "registry:5000/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1.27@{DIGEST}", f"docker.io/library/nginx:1.27@{DIGEST}"),
    ],
)
def test_full_names(reference: str, full: str) -> None:
    assert normalise(reference) == full


@pytest.mark.parametrize("text", ["", "Nginx", "nginx:", "nginx:ta g", "nginx@sha256:ab", "-x", "a//b", "nginx:1:2"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        normalise(text)


@given(st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,8})?", fullmatch=True))
def test_a_full_name_is_its_own_full_name(reference: str) -> None:
    assert normalise(normalise(reference)) == normalise(reference)
