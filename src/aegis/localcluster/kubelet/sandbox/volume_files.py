"""A pod's volumes inside its sandbox.

Files of a ConfigMap and the like are replaced as one: they lie in a folder whose name changes, and `..data` is a
symbolic link to it that is renamed over the old one, so a reader never sees half of an update.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis.localcluster.kubelet.sandbox import linux

_DATA = "..data"


class VolumeStore:
    """The folder that holds every volume of a sandbox, by name."""

    def __init__(self, folder: Path, *, can_mount: bool) -> None:
        self._folder, self._can_mount = folder, can_mount
        self._version = 0

    def make(self, name: str, *, size: int | None, in_memory: bool, gid: int | None) -> None:
        """Make an empty volume that everyone may write to; one that is there already stays as it is.

        Args:
            name: the volume's.
            size: the most bytes it may hold.
            in_memory: whether it is a tmpfs of its own, as one with a size always is.
            gid: the group that owns it (`fsGroup`), where users are mapped.

        Raises:
            OSError: no space, or refused.
        """
        folder = self._folder / name
        if folder.exists():
            return
        folder.mkdir()
        if self._can_mount and (in_memory or size is not None):
            options = "mode=0777" + (f",size={size}" if size is not None else "")
            linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options=options)
        _own(folder, gid, 0o2777 if gid is not None else 0o777)

    def keep(self, name: str, kept: Path, *, gid: int | None) -> None:
        """Show a folder that outlives the sandbox; one that is shown already stays as it is.

        Raises:
            OSError: refused.
        """
        folder = self._folder / name
        if folder.exists():
            return
        if not self._can_mount:
            folder.symlink_to(kept)
            return
        folder.mkdir()
        linux.bind(kept, folder)
        if gid is not None:
            _own(folder, gid, 0o2777)

    def write(self, name: str, files: Mapping[str, Mapping[str, Any]], *, gid: int | None) -> None:
        """Replace all files of a volume; each is `{"data": base64, "mode": bits}` by its relative path.

        Raises:
            OSError: no space, or refused.
            ValueError: a path leads out of the volume.
        """
        volume = self._folder / name
        volume.mkdir(exist_ok=True)
        self._version += 1
        fresh = volume / f"..{self._version}"
        fresh.mkdir()
        for path, file in files.items():
            if path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"invalid path {path}")
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(base64.b64decode(file["data"]))
            _own(target, gid, file["mode"] | (0o440 if gid is not None else 0))
        old = (volume / _DATA).readlink() if (volume / _DATA).is_symlink() else None
        (volume / "..next").symlink_to(fresh.name)
        (volume / "..next").rename(volume / _DATA)
        self._link_tops(volume, {path.split("/")[0] for path in files})
        if old is not None:
            shutil.rmtree(volume / old)

    def _link_tops(self, volume: Path, tops: set[str]) -> None:
        present = {entry.name for entry in volume.iterdir() if not entry.name.startswith("..")}
        for name in tops - present:
            (volume / name).symlink_to(f"{_DATA}/{name}")
        for name in present - tops:
            (volume / name).unlink()


def _own(path: Path, gid: int | None, mode: int) -> None:
    if gid is not None:
        os.chown(path, -1, gid)
    path.chmod(mode)
