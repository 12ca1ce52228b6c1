"""The fields of an event: which there are, of what type, with or without an argument.

The catalogue is that of Falco 0.44.1 with its container and Kubernetes plug-ins (`falco --list`), kept in `fields.tsv`:
`name`, `type` (libsinsp's), `argument` (`required`, `optional` or none) and `flags`: `list` where it has many values,
`fixed` where it takes no transformer and is compared with constants only, `left` where only the latter holds.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aegis.falco.tree import Field

_NUMBERS = frozenset({"ABSTIME", "DOUBLE", "INT16", "INT32", "INT64", "PORT", "RELTIME", "UINT32", "UINT64"})
_SIGNED = {"DOUBLE": 32, "INT16": 16, "INT32": 32, "INT64": 64}
_UNSIGNED = {"ABSTIME": 64, "PORT": 16, "RELTIME": 64, "UINT32": 32, "UINT64": 64}

Kind = Literal["number", "text", "bytes", "truth", "address", "network", "any"]


class FieldError(ValueError):
    """A field that is none, or is not used as it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field of the catalogue.

    Attributes:
        name: without its argument.
        type: libsinsp's name of it.
        argument: whether it needs an argument, may have one, or has none.
        is_list: whether it has many values.
        transformable: whether a transformer may be applied.
        comparable: whether it may be compared with another field.
    """

    name: str
    type: str
    argument: Literal["required", "optional", ""]
    is_list: bool = False
    transformable: bool = True
    comparable: bool = True

    @property
    def kind(self) -> Kind:
        """How it is compared."""
        if self.type in _NUMBERS:
            return "number"
        kinds: dict[str, Kind] = {"BOOL": "truth", "BYTEBUF": "bytes", "IPADDR": "address", "IPNET": "network"}
        return kinds.get(self.type, "any" if self.type == "DYNAMIC" else "text")

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest number that a constant may be."""
        if bits := _UNSIGNED.get(self.type):
            return 0, (1 << bits) - 1
        bits = _SIGNED.get(self.type, 64)
        return -(1 << bits - 1), (1 << bits - 1) - 1


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every field, by name."""
    # Not by importlib.resources: its imports take longer than all of the reading.
    lines = Path(__file__).with_name("fields.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {entry.name: entry for entry in map(_entry, lines)}


def resolve(field: Field) -> Entry:
    """What the catalogue says of a field; `evt.arg.flags` is `evt.arg` with an argument.

    Raises:
        FieldError: there is no such field, or its argument is missing or too much.
    """
    entry, argument = catalogue().get(field.name), field.argument
    if entry is None:
        entry, argument = _dotted(field)
    if entry.argument == "required" and not argument:
        raise FieldError(f"filter error: field '{entry.name}' requires an argument")
    if not entry.argument and argument is not None:
        raise FieldError(f"filter_check called with nonexistent field {field}")
    return entry


def _dotted(field: Field) -> tuple[Entry, str]:
    """A field whose argument follows a dot.

    Raises:
        FieldError: there is no such field.
    """
    name, known = field.name, catalogue()
    while "." in name:
        name = name.rpartition(".")[0]
        entry = known.get(name)
        if entry is not None and entry.argument and field.argument is None:
            return entry, field.name[len(name) + 1 :]
    raise FieldError(f"filter_check called with nonexistent field {field}")


def _entry(line: str) -> Entry:
    name, kind, argument, flags = line.split("\t")
    return Entry(
        name=name,
        type=kind,
        argument="required" if argument == "required" else "optional" if argument else "",
        is_list="list" in flags,
        transformable="fixed" not in flags,
        comparable="fixed" not in flags and "left" not in flags,
    )
