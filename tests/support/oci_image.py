"""Images as `docker save` writes them, made of a few files: enough for a scanner that looks into layers."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """An image in parts: its configuration and its layers."""

    config: bytes
    layers: tuple[bytes, ...]


def blobs(*layers: Mapping[str, str | bytes]) -> Blobs:
    """An image of files by their path within it; later layers lie over earlier ones."""
    made = tuple(_layer(files) for files in layers)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in made]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "test"} for _ in made],
    }
    return Blobs(config=json.dumps(config).encode(), layers=made)


def write_image(path: Path, *layers: Mapping[str, str | bytes], tag: str = "") -> Path:
    """A tar of an image.

    Args:
        path: of the tar.
        layers: files by their path within the image; later ones lie over earlier ones.
        tag: by what name it was saved.

    Returns:
        The path.
    """
    image = blobs(*layers)
    name = f"{hashlib.sha256(image.config).hexdigest()}.json"
    names = [f"{number}/layer.tar" for number in range(len(image.layers))]
    manifest = [{"Config": name, "RepoTags": [tag] if tag else [], "Layers": names}]
    with tarfile.open(path, "w") as archive:
        _add(archive, name, image.config)
        for layer, blob in zip(names, image.layers, strict=True):
            _add(archive, layer, blob)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return path


def _layer(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(files.items()):
            _add(archive, name, content.encode() if isinstance(content, str) else content)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mtime = 1767225600
    archive.addfile(entry, io.BytesIO(data))


def debian(release: str, packages: Sequence[tuple[str, str, str]]) -> dict[str, str | bytes]:
    """The files by which Debian is known, with (package, source, version) installed."""
    paragraphs = [
        f"Package: {package}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 100\n"
        f"Maintainer: Nobody <nobody@example.com>\nArchitecture: amd64\nSource: {source}\nVersion: {version}\n"
        f"Description: {package}\n"
        for package, source, version in packages
    ]
    return {
        "etc/debian_version": f"{release}\n",
        "etc/os-release": f'ID=debian\nVERSION_ID="{release.partition(".")[0]}"\n',
        "var/lib/dpkg/status": "\n".join(paragraphs),
    }


def alpine(release: str, packages: Sequence[tuple[str, str]]) -> dict[str, str | bytes]:
    """The files by which Alpine is known, with (package, version) installed."""
    paragraphs = [f"P:{package}\nV:{version}\nA:x86_64\no:{package}\n" for package, version in packages]
    return {
        "etc/alpine-release": f"{release}\n",
        "etc/os-release": f"ID=alpine\nVERSION_ID={release}\n",
        "lib/apk/db/installed": "\n".join(paragraphs) + "\n",
    }


def python_package(name: str, version: str) -> dict[str, str | bytes]:
    """A Python package, installed."""
    folder = f"usr/lib/python3.11/site-packages/{name}-{version}.dist-info"
    return {f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}


def java_archive(title: str) -> bytes:
    """A jar that does not say which package it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nImplementation-Title: {title}\n")
    return buffer.getvalue()
