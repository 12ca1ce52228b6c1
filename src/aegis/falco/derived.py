"""The fields that an alert tells: those in it, those that follow from them, and those whose value cannot be trusted.

Falco compares the bytes of an event and writes text: what was no UTF-8 becomes U+FFFD in the alert, so such a value is
read as one that no text of a rule equals. falcosidekick shortens what is long to 507 bytes and `[...]`: what Falco saw
cannot be told from that.
Source of what follows from what: libsinsp's `sinsp_filtercheck_fd.cpp` and `sinsp_filtercheck_thread.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aegis.falco.alert import Alert
from aegis.falco.evaluate import ANCESTRAL

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
SHORTENED: Final = "[...]"
_NO_TEXT: Final = "\udcff"
"""A byte that is no UTF-8, as Python's `surrogateescape` has it."""
_SHORTENED_FROM: Final = 500
"""Bytes; shorter values that end like this were written so."""

_UNTOLD: Final = object()
_TUPLE: Final = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})->((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})", re.ASCII)
_SAME: Final[Mapping[str, str]] = {
    "proc.pname": "proc.aname[1]", "proc.aname[1]": "proc.pname", "proc.aname[0]": "proc.name",
    "proc.pcmdline": "proc.acmdline[1]", "proc.acmdline[1]": "proc.pcmdline", "proc.acmdline[0]": "proc.cmdline",
    "proc.pexe": "proc.aexe[1]", "proc.aexe[1]": "proc.pexe", "proc.aexe[0]": "proc.exe",
    "proc.pexepath": "proc.aexepath[1]", "proc.aexepath[1]": "proc.pexepath", "proc.aexepath[0]": "proc.exepath",
    "proc.ppid": "proc.apid[1]", "proc.apid[1]": "proc.ppid", "proc.apid[0]": "proc.pid",
    "syscall.type": "evt.type",
}  # fmt: skip
_TYPE_LETTERS: Final[Mapping[str, str]] = {
    "file": "f", "directory": "d", "ipv4": "4", "ipv6": "6", "unix": "u", "pipe": "p",
}  # fmt: skip


def is_altered(value: object) -> bool:
    """Whether a value is not what Falco compared."""
    return isinstance(value, str) and (REPLACEMENT in value or is_shortened(value))


def is_shortened(value: object) -> bool:
    """Whether the end of a value is not told."""
    if not isinstance(value, str) or not value.endswith(SHORTENED):
        return False
    return len(value.encode("utf-8", "replace")) > _SHORTENED_FROM


def told(alert: Alert, wanted: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The wanted fields as far as the alert tells them, and which of them are not what Falco compared."""
    fields: dict[str, Any] = {}
    altered: list[str] = []
    for name in wanted:
        for key, value in _told(alert.fields, name):
            if is_altered(value):
                altered.append(key)
            if not is_shortened(value):
                fields[key] = value.replace(REPLACEMENT, _NO_TEXT) if isinstance(value, str) else value
    return fields, altered


def told_field(fields: Mapping[str, Any], name: str) -> Any:
    """One field, told or following from others; None where it is neither, or has no value."""
    value = _value(fields, name)
    return None if value is _UNTOLD else value


def follows(name: str, told_names: frozenset[str]) -> bool:
    """Whether an alert that tells some fields tells another one too."""
    if name in told_names:
        return True
    if name in ANCESTRAL:
        return any(one.startswith(f"{name}[") for one in told_names)
    if name in _SAME:
        return _SAME[name] in told_names
    sources = _SOURCES.get(name)
    return sources is not None and all(follows(one, told_names) for one in sources)


def _told(fields: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    if name in ANCESTRAL:
        names = {key for key in fields if key.startswith(f"{name}[")} | {f"{name}[1]"}
        found = [(key, _value(fields, key)) for key in sorted(names)]
    else:
        found = [(name, _value(fields, name))]
    return ((key, value) for key, value in found if value is not _UNTOLD)


def _value(fields: Mapping[str, Any], name: str) -> Any:
    if name in fields:
        return fields[name]
    same = _SAME.get(name)
    if same is not None:
        return fields.get(same, _UNTOLD)
    rule = _RULES.get(name)
    return _UNTOLD if rule is None else rule(fields)


def _path(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    name = fields.get("fd.name")
    if not isinstance(name, str) or not name.startswith("/") or fields.get("fd.type", "file") != "file":
        return None
    if is_altered(name):
        return None
    folder, _, file = name.rpartition("/")
    return (folder, file) if folder and file else None


def _directory(fields: Mapping[str, Any]) -> Any:
    path = _path(fields)
    return path[0] if path else _UNTOLD


def _filename(fields: Mapping[str, Any]) -> Any:
    path = _path(fields)
    return path[1] if path else _UNTOLD


def _of_connection(part: int, *, is_port: bool = False) -> Callable[[Mapping[str, Any]], Any]:
    def value(fields: Mapping[str, Any]) -> Any:
        name = fields.get("fd.name")
        found = _TUPLE.fullmatch(name) if isinstance(name, str) and fields.get("fd.type", "ipv4") == "ipv4" else None
        if found is None:
            return _UNTOLD
        return int(found[part]) if is_port else found[part]

    return value


def _network_of(address: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda fields: _value(fields, address)


def _letter(fields: Mapping[str, Any]) -> Any:
    return _TYPE_LETTERS.get(str(fields.get("fd.type")), _UNTOLD)


def _arguments(fields: Mapping[str, Any]) -> Any:
    line, name = fields.get("proc.cmdline"), fields.get("proc.name")
    if not isinstance(line, str) or not isinstance(name, str) or is_altered(line) or is_altered(name):
        return _UNTOLD
    if line == name:
        return ""
    return line[len(name) + 1 :] if name and line.startswith(f"{name} ") else _UNTOLD


_RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "fd.directory": _directory,
    "fd.filename": _filename,
    "fd.cip": _of_connection(1),
    "fd.cport": _of_connection(2, is_port=True),
    "fd.sip": _of_connection(3),
    "fd.sport": _of_connection(4, is_port=True),
    "fd.cnet": _network_of("fd.cip"),
    "fd.snet": _network_of("fd.sip"),
    "fd.lnet": _network_of("fd.lip"),
    "fd.rnet": _network_of("fd.rip"),
    "fd.typechar": _letter,
    "proc.args": _arguments,
}
_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "fd.directory": ("fd.name",), "fd.filename": ("fd.name",), "fd.cip": ("fd.name",), "fd.cport": ("fd.name",),
    "fd.sip": ("fd.name",), "fd.sport": ("fd.name",), "fd.cnet": ("fd.cip",), "fd.snet": ("fd.sip",),
    "fd.lnet": ("fd.lip",), "fd.rnet": ("fd.rip",), "fd.typechar": ("fd.type",),
    "proc.args": ("proc.cmdline", "proc.name"),
}  # fmt: skip
