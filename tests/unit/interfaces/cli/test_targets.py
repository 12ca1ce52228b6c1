"""KIND/NAME, KIND NAME, a kind alone, and manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import UsageError
from aegis.interfaces.cli.targets import Typed, manifests, split_target, typed


@pytest.mark.parametrize(
    ("words", "found"),
    [((), None), (("deploy/web",), ("deploy", "web")), (("deploy", "web"), ("deploy", "web"))],
)
def test_both_spellings(words: tuple[str, ...], found: tuple[str, str] | None) -> None:
    assert split_target(words) == found


@pytest.mark.parametrize("words", [("web",), ("deploy/",), ("/web",), ("a/b/c",), ("a", "b", "c"), ("deploy/x", "web")])
def test_anything_else_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        split_target(words)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), Typed()),
        (("deploy",), Typed(kind="deploy")),
        (("deploy/web", "svc/web"), Typed(names=(("deploy", "web"), ("svc", "web")))),
        (("deploy", "web", "api"), Typed(names=(("deploy", "web"), ("deploy", "api")))),
    ],
)
def test_several_objects_and_a_kind_alone(words: tuple[str, ...], found: Typed) -> None:
    assert typed(words) == found


@pytest.mark.parametrize("words", [("deploy/",), ("deploy", ""), ("",), ("a/b", "c")])
def test_what_names_nothing_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="names no object"):
        typed(words)


OBJECT = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (OBJECT, ["web"]),
        (f"---\n{OBJECT}\n---\n---\n{OBJECT.replace('web', 'api')}\n", ["web", "api"]),
        (
            f"{{kind: List, items: [{OBJECT}, {{kind: PodList, items: [{OBJECT.replace('web', 'api')}]}}]}}",
            ["web", "api"],
        ),
    ],
)
def test_manifests_are_taken_apart(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "web.yaml"
    path.write_text(text)
    assert [obj["metadata"]["name"] for obj in manifests(path)] == names


@pytest.mark.parametrize(
    "data",
    [b"", b"---\n", b"\xff\xfe\x00", b"a: [", b"just words", b"[1, 2]", b"{kind: Deployment}", b"x" * ((8 << 20) + 1)],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "web.yaml"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        manifests(path)
    assert "\n" not in caught.value.message
