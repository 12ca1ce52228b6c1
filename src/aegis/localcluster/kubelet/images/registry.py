"""The local registry: which references there are, and what each of them runs.

A folder of images holds one YAML or JSON file each, with `reference` and the fields of `Entry`; a file's content may
stand in `files` as text, or as the name of a file beside it (`from`).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from aegis.localcluster.kubelet.images.reference import InvalidReferenceError, normalise
from aegis.localcluster.kubelet.sandbox.launch import RootFile

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = Path(__file__).parent / "programs"
_SHEBANG = "#!/usr/local/bin/python3 -u\n"
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_MEBIBYTE = 1 << 20


class RegistryError(ValueError):
    """An image file that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an image is: the configuration of a container and the files that it adds.

    Attributes:
        entrypoint: what `command` replaces.
        cmd: what `args` replaces.
        env: its environment.
        workdir: where its program starts.
        user: numeric `uid` or `uid:gid`, or a name; empty is root.
        files: what it adds to the machine's programs, by absolute path.
        size: bytes that it says it has.
        sensor: whether its program reads the runtime watch's alerts of its node on its standard input.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    files: Mapping[str, RootFile] = field(default_factory=dict)
    size: int = 4 * _MEBIBYTE
    sensor: bool = False

    @property
    def digest(self) -> str:
        """`sha256:…` of everything that it is."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Registry:
    """Every image that can be pulled."""

    def __init__(self, entries: Mapping[str, Entry] | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        for reference, entry in (entries or {}).items():
            self.add(reference, entry)

    @classmethod
    def standard(cls) -> Self:
        """With the images that every local cluster has."""
        return cls(_standard())

    def add(self, reference: str, entry: Entry) -> None:
        """Offer an image, in the place of one of the same name.

        Raises:
            InvalidReferenceError: not a reference.
        """
        self._entries[normalise(reference)] = entry

    def add_folder(self, folder: Path) -> None:
        """Offer every image that a folder describes.

        Raises:
            RegistryError: a file of it is not an image.
        """
        for file in sorted(folder.iterdir()):
            if file.suffix in {".yaml", ".yml", ".json"}:
                try:
                    data = yaml.safe_load(file.read_text(encoding="utf-8"))
                    self.add(data.pop("reference"), _entry(data, folder))
                except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
                    raise RegistryError(f"{file}: not an image: {error}") from error

    def find(self, reference: str) -> Entry | None:
        """The image behind a reference.

        Raises:
            InvalidReferenceError: not a reference.
        """
        full = normalise(reference)
        name, _, digest = full.partition("@")
        if not digest:
            return self._entries.get(full)
        repository = name.rsplit(":", 1)[0] if ":" in name.rsplit("/", 1)[-1] else name
        for known, entry in self._entries.items():
            if known.rsplit(":", 1)[0] == repository and entry.digest == digest:
                return entry
        return None

    def references(self) -> Iterable[str]:
        """The full names of all images."""
        return sorted(self._entries)


def interpreter_prefix() -> str | None:
    """What has to appear as /usr/local for the interpreter to work; None where it is part of /usr."""
    return None if Path(sys.base_prefix).resolve().is_relative_to("/usr") else str(Path(sys.base_prefix).resolve())


def _entry(data: dict[str, Any], folder: Path) -> Entry:
    files = {
        path: RootFile(
            text=(folder / file["from"]).read_text(encoding="utf-8") if "from" in file else file.get("text"),
            link=file.get("link"),
            mode=file.get("mode", 0o644),
        )
        for path, file in data.pop("files", {}).items()
    }
    base = _standard().get(data.pop("base", ""), Entry())
    env = {**base.env, **data.pop("env", {})}
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return replace(base, **given, env=env, files={**base.files, **files})


def _standard() -> dict[str, Entry]:
    python = _with_interpreter()
    tools = {f"/usr/local/bin/{name}": _program(name) for name in ("nc", "nslookup", "wget")}
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "python:3.12-slim": Entry(
            cmd=("python3",),
            env={"PATH": _PATH, "LANG": "C.UTF-8", "PYTHON_VERSION": version},
            files=python,
            size=45 * _MEBIBYTE,
        ),
        "falcosecurity/falco:0.44.1": Entry(
            cmd=("/usr/bin/falco",),
            env={"PATH": _PATH},
            files={**python, "/usr/bin/falco": _program("falco")},
            size=90 * _MEBIBYTE,
            sensor=True,
        ),
        "busybox:1.36": Entry(cmd=("sh",), env={"PATH": _PATH}, files={**python, **tools}, size=2 * _MEBIBYTE),
        "nginx:1.27": Entry(
            entrypoint=("/docker-entrypoint.sh",),
            cmd=("nginx", "-g", "daemon off;"),
            env={"PATH": _PATH, "NGINX_VERSION": "1.27.5"},
            files={
                **python,
                "/docker-entrypoint.sh": RootFile(text='#!/bin/sh\nexec "$@"\n', mode=0o755),
                "/usr/sbin/nginx": _program("nginx"),
                "/usr/share/nginx/html/index.html": RootFile(text=_WELCOME),
                "/etc/nginx/nginx.conf": RootFile(text=_NGINX_CONF),
                "/etc/nginx/conf.d/default.conf": RootFile(text=_NGINX_DEFAULT),
                "/run/nginx.pid": RootFile(text=""),
                "/var/cache/nginx/.keep": RootFile(text=""),
                "/var/log/nginx/access.log": RootFile(link="/dev/stdout"),
                "/var/log/nginx/error.log": RootFile(link="/dev/stderr"),
            },
            size=72 * _MEBIBYTE,
        ),
    }


def _with_interpreter() -> dict[str, RootFile]:
    prefix = interpreter_prefix()
    target = f"/usr/local/bin/{_PYTHON}" if prefix else str(Path(sys.base_prefix) / "bin" / _PYTHON)
    return {
        "/etc/passwd": RootFile(text=_USERS),
        "/etc/group": RootFile(text=_GROUP),
        "/etc/shadow": RootFile(text="root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n", mode=0o640),
        "/usr/local/bin/python": RootFile(link=target),
        "/usr/local/bin/python3": RootFile(link=target),
    }


def _program(name: str) -> RootFile:
    return RootFile(text=_SHEBANG + (_PROGRAMS / f"{name}.py").read_text(encoding="utf-8"), mode=0o755)


_USERS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nginx:x:101:101:nginx user:/nonexistent:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nnginx:x:101:\nnogroup:x:65534:\n"
_WELCOME = """\
<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1><p>This page comes from the local cluster's static web server.</p></body>
</html>
"""
_NGINX_CONF = "events {}\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"
_NGINX_DEFAULT = """\
server {
    listen 80;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
"""

__all__ = ["Entry", "InvalidReferenceError", "Registry", "RegistryError", "interpreter_prefix"]
