"""URL paths of the Kubernetes API.

```
path = "/api/" version rest | "/apis/" group "/" version rest
rest = [ "/namespaces/" namespace ] "/" plural [ "/" name [ "/" subresource ] ]
```
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_LONGEST = 8
_NAMED, _SCOPED = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPath:
    """A path that names a resource."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str | None = None
    subresource: str = ""


def parse_path(parts: list[str]) -> ApiPath | None:
    """The resource that a path (split at slashes, decoded) names; None where it names none."""
    if parts[:1] == ["api"]:
        group, rest = "", parts[1:]
    elif parts[:1] == ["apis"]:
        group, rest = (parts[1] if len(parts) > 1 else ""), parts[2:]
    else:
        return None
    if not 1 < len(rest) <= _LONGEST:
        return None
    version, rest = rest[0], rest[1:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) >= _SCOPED and not _of_the_namespace(rest):
        namespace, rest = rest[1], rest[2:]
    return ApiPath(
        group=group,
        version=version,
        plural=rest[0],
        namespace=namespace,
        name=rest[1] if len(rest) > 1 else None,
        subresource="/".join(rest[_NAMED:]),
    )


def _of_the_namespace(rest: list[str]) -> bool:
    return len(rest) == _SCOPED and rest[2] in _NAMESPACE_SUBRESOURCES
