"""What images there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.localcluster.kubelet.images.registry import Entry, Registry, RegistryError
from aegis.localcluster.kubelet.sandbox.launch import RootFile


def test_the_standard_images_and_no_other() -> None:
    registry = Registry.standard()
    assert list(registry.references()) == [
        "docker.io/falcosecurity/falco:0.44.1", "docker.io/library/busybox:1.36", "docker.io/library/nginx:1.27",
        "docker.io/library/python:3.12-slim",
    ]  # fmt: skip
    assert registry.find("docker.io/nginx:1.27") is registry.find("nginx:1.27")
    assert registry.find("nginx") is None


def test_an_image_is_found_by_its_digest() -> None:
    registry = Registry.standard()
    entry = registry.find("nginx:1.27")
    assert entry is not None
    assert registry.find(f"nginx@{entry.digest}") == entry
    assert registry.find("nginx@sha256:" + "0" * 64) is None


def test_the_digest_changes_with_the_content() -> None:
    one = Entry(files={"/x": RootFile(text="1")})
    assert one.digest == Entry(files={"/x": RootFile(text="1")}).digest
    assert one.digest != Entry(files={"/x": RootFile(text="2")}).digest


def test_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print(1)", encoding="utf-8")
    (tmp_path / "app.yaml").write_text(
        "reference: shop/app:1.0\nbase: python:3.12-slim\ncmd: [python, /app/app.py]\nenv: {MODE: test}\n"
        "files: {/app/app.py: {from: app.py}, /app/run: {text: hi, mode: 493}}\n",
        encoding="utf-8",
    )
    registry = Registry.standard()
    registry.add_folder(tmp_path)
    entry = registry.find("shop/app:1.0")
    assert entry is not None
    assert entry.cmd == ("python", "/app/app.py")
    assert entry.env["MODE"] == "test"
    assert "PATH" in entry.env
    assert entry.files["/app/app.py"].text == "print(1)"
    assert entry.files["/app/run"].mode == 0o755


@pytest.mark.parametrize(
    "text", ["[]", "cmd: [x]", "reference: NO", "reference: a\nwrong: 1", "reference: a\nfiles: {/x: {from: gone}}"]
)
def test_what_is_no_image_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"bad\.yaml"):
        Registry().add_folder(tmp_path)
