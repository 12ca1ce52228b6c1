"""How trivy is asked; that it understands it is held in tests/scanners."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.model.scan import Image
from aegis.security.trivytool import command
from aegis.security.trivytool.command import Bench


def bench(**changes: str) -> Bench:
    return Bench(
        program=Path("/bin/trivy"),
        scratch=Path("/s"),
        cache=Path("/c"),
        home=Path("/home/ann"),
        path="/bin",
        **changes,  # type: ignore[arg-type]  # only texts are changed
    )


def test_a_token_is_in_the_environment_and_on_no_command_line() -> None:
    at = bench(server="http://127.0.0.1:4954", token="t0ken")
    argv = command.image(at, Image(reference="shop:1"))
    assert argv[argv.index("--server") + 1] == "http://127.0.0.1:4954"
    assert "--skip-db-update" not in argv
    assert not any("t0ken" in word for word in argv)
    assert at.env()["TRIVY_TOKEN"] == "t0ken"
    assert "TRIVY_TOKEN" not in bench(token="t0ken").env()


def test_the_home_folder_is_seen_by_a_pull_only() -> None:
    assert bench().env()["HOME"] == "/s"
    assert bench().env(home=True)["HOME"] == "/home/ann"


@pytest.mark.parametrize("reference", ["--help", "-o/tmp/x", "a b", "a\nb", "", "a" * 600, "$(x)", "a;b"])
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(ValueError, match="no image reference"):
        command.image(bench(), Image(reference=reference))


@pytest.mark.parametrize("reference", ["nginx", "r.example:5000/a/b_c:1.2-x@sha256:" + "a" * 64, "[::1]:5000/a"])
def test_what_is_one(reference: str) -> None:
    assert command.image(bench(), Image(reference=reference))[-1] == reference


def test_a_platform_is_checked() -> None:
    assert "linux/arm64/v8" in command.image(bench(), Image(reference="a", platform="linux/arm64/v8"))
    with pytest.raises(ValueError, match="no platform"):
        command.image(bench(), Image(reference="a", platform="--insecure"))


def test_manifests_in_a_folder_are_left_to_the_canonical_way() -> None:
    argv = command.tree(bench(), Path("/src"), root=False)
    assert argv[1] == "fs"
    assert "kubernetes" not in argv[argv.index("--misconfig-scanners") + 1].split(",")
    assert command.tree(bench(), Path("/src"), root=True)[1] == "rootfs"
    assert command.config(bench(), Path("/m"))[-2:] == ["--", "/m"]
