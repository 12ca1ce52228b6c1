"""Image references, as Docker and containerd read them.

Source: the grammar of the distribution project's `reference` package.
"""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{{32,}}))?"
)
_DEFAULT_HOST, _DEFAULT_FOLDER = "docker.io", "library"


class InvalidReferenceError(ValueError):
    """A text that is no image reference."""


def normalise(reference: str) -> str:
    """The full name of an image: `nginx` is `docker.io/library/nginx:latest`.

    Raises:
        InvalidReferenceError: not a reference.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidReferenceError(reference)
    name, digest = match["name"], match["digest"]
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = _DEFAULT_HOST, name
    if host == _DEFAULT_HOST and "/" not in rest:
        rest = f"{_DEFAULT_FOLDER}/{rest}"
    tag = match["tag"] or ("" if digest else "latest")
    return f"{host}/{rest}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def tag_or_digest(reference: str) -> str:
    """The last part of a full name: what the default pull policy looks at."""
    return reference.rsplit("/", 1)[-1].partition("@" if "@" in reference else ":")[2]
