"""The columns that a CustomResourceDefinition asks for (`additionalPrinterColumns`).

```
path   = step*
step   = "." name | "[" index "]" | "['" name "']" | "[*]" | "[?(@" path "==" literal ")]"
```
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aegis.localcluster.apiserver.tables.columns import AGE, NAME, Column, since

_STEP = re.compile(
    r"""\.?\[\?\(@(?P<left>[^=]+?)\s*==\s*(?P<right>"[^"]*"|'[^']*'|[^)]+?)\s*\)\]"""
    r"""|\.?\[(?P<index>-?\d+)\]|\.?\[['"](?P<quoted>[^'"]+)['"]\]|\.?\[\*\]|\.(?P<name>(?:\\.|[^.\[\\])+)"""
)
_LONGEST = 512


def columns(definitions: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The name, then what the definition asks for; without any, the age."""
    chosen = tuple(_column(d) for d in definitions)
    return (NAME, *chosen) if chosen else (NAME, AGE)


def values(obj: Any, path: str) -> list[Any]:
    """What stands at a JSONPath; nothing where there is nothing, or the path is beyond this grammar."""
    found, position = [obj], 0
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")[:_LONGEST]
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            return []
        found = [value for one in found for value in _stepped(one, match)]
        position = match.end()
    return found


def _stepped(value: Any, match: re.Match[str]) -> list[Any]:
    if match["left"] is not None:
        wanted = _literal(match["right"])
        return [item for item in _items(value) if wanted in values(item, match["left"])]
    if match["index"] is not None:
        index = int(match["index"])
        return [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []
    name = match["quoted"] or match["name"]
    if name is None:
        return _items(value)
    name = name.replace("\\.", ".")
    return [value[name]] if isinstance(value, Mapping) and name in value else []


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _literal(text: str) -> Any:
    if text[:1] in {"'", '"'}:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _column(definition: Mapping[str, Any]) -> Column:
    path, kind = str(definition.get("jsonPath", "")), str(definition.get("type", "string"))

    def cell(obj: Mapping[str, Any]) -> Any:
        found = values(obj, path)
        if not found or found[0] is None:
            return None
        if kind == "date":
            return since(str(found[0]))
        if kind in {"integer", "number", "boolean"} and isinstance(found[0], int | float):
            return found[0]
        return found[0] if isinstance(found[0], str) else json.dumps(found[0], separators=(",", ":"))

    return Column(
        str(definition.get("name", "")),
        cell,
        kind,
        int(definition.get("priority") or 0),
        str(definition.get("format", "")),
        str(definition.get("description", "")),
    )
