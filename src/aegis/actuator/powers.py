"""What an object lets its pods do beyond ordinary ones: privileges, and what they take of their node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SWITCHES: Final = frozenset({
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "privileged",
    "allowPrivilegeEscalation",
    "hostProcess",
})
_DEEPEST: Final = 64


def powers(obj: Mapping[str, Any]) -> frozenset[str]:
    """The powers that an object gives, each with its place, as `…containers[web].securityContext.privileged`.

    Looked for everywhere in the object, not only where a built-in kind keeps its pod template: so a partial object and
    a custom resource are seen through as well.
    """
    return frozenset(_within(obj, "", 0))


def _within(value: Any, path: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield f"{path}: nested too deep to be looked through"
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            where = f"{path}.{key}" if path else str(key)
            yield from _of_field(str(key), item, where)
            yield from _within(item, where, depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            yield from _within(item, f"{path}[{name or index}]", depth + 1)


def _of_field(key: str, value: Any, where: str) -> Iterator[str]:
    match key, value:
        case _, True if key in _SWITCHES:
            yield where
        case "hostPath", Mapping():
            yield f"{where} {value.get('path')}"
        case "hostPort", int() if value:
            yield f"{where} {value}"
        case "procMount", str() if value not in {"", "Default"}:
            yield f"{where} {value}"
        case "capabilities", {"add": [*names]}:
            yield from (f"{where} {name}" for name in names)
        case _:
            return
