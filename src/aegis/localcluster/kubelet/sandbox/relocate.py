"""A container's files where nothing can be mounted: kept in a folder of its own, with paths to them replaced.

What a command, an environment or a file of the image says of `/app` (a mounted volume) or of `/etc/nginx` (which the
image brings) is made to mean the folder where it really lies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from aegis.localcluster.kubelet.sandbox.launch import Launch, Root, RootFile


class Relocation:
    """Which paths lie elsewhere."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(sorted(places.items(), key=lambda place: -len(place[0])))
        names = "|".join(map(re.escape, self._places))
        self._pattern = re.compile(rf"(?<![\w./-])({names})(?![\w.-])") if names else None

    def text(self, text: str) -> str:
        """A text with the real places in it."""
        return self._pattern.sub(lambda match: self._places[match[1]], text) if self._pattern else text

    def path(self, path: str, top: Path) -> str:
        """Where a path of the container lies: in its own folder, when nothing else is said."""
        moved = self.text(path)
        return moved if moved != path else str(top / path.strip("/"))


def lay_out(launch: Launch, top: Path, *, volumes: Path, termination: Path) -> Relocation:
    """Put an image's files into a container's folder.

    Raises:
        OSError: they cannot be written.
    """
    root = launch.root or Root()
    places = {root.termination: str(termination)}
    for path in root.files:
        places[path] = str(top / path[1:])
        own = _first_missing(PurePosixPath(path).parent)
        if own is not None:
            places[str(own)] = str(top / str(own)[1:])
    for mount in root.mounts:
        places[mount.path.rstrip("/") or "/"] = str(volumes / mount.volume / mount.sub_path).rstrip("/")
    relocation = Relocation(places)
    for path, file in root.files.items():
        _write(top / path[1:], file, root.prefix, relocation)
    Path(relocation.path(launch.cwd, top)).mkdir(parents=True, exist_ok=True)
    return relocation


def search_path(path: str, top: Path) -> str:
    """A PATH that finds the image's programs before the machine's."""
    own = [str(top / folder[1:]) for folder in path.split(":") if (top / folder[1:]).is_dir()]
    return ":".join([*own, path])


def _first_missing(folder: PurePosixPath) -> PurePosixPath | None:
    """The uppermost folder on this path that this machine does not have."""
    missing = None
    for one in (folder, *folder.parents):
        if Path(one).exists():
            return missing
        missing = one
    return missing


def _write(place: Path, file: RootFile, prefix: str | None, relocation: Relocation) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    link = file.link or file.source
    if link is not None:
        inside = prefix is not None and link.startswith("/usr/local/")
        place.symlink_to(f"{prefix}{link.removeprefix('/usr/local')}" if inside else link)
    else:
        place.write_text(relocation.text(file.text or ""), encoding="utf-8")
        place.chmod(file.mode | 0o600)
