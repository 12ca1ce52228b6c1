"""Reads YAML and JSON as Kubernetes means it: no tags, no dates, nothing that grows or nests without end.

YAML is built from the parser's events rather than by its own constructor, whose recursion a nested text overflows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

_MOST_ALIASES: Final = 50
_MOST_DOCUMENTS: Final = 20_000
_DEEPEST: Final = 200
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OCTAL: Final = re.compile(r"0o?[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS: Final = frozenset(
    {None, "!"} | {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
)
_MERGE: Final = "<<"


class Unparsed(ValueError):
    """The text is neither YAML nor JSON that may be read."""


def documents(text: str) -> Iterator[Any]:
    """The documents of a JSON or YAML text.

    Raises:
        Unparsed: if it is none, or one that would grow beyond bounds.
    """
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped[:1] in {"{", "["}:
        try:
            yield json.loads(stripped)
        except RecursionError:
            raise Unparsed("nested too deep") from None
        except ValueError:
            yield from _json_values(stripped)
        return
    yield from _yaml(text)


def _json_values(text: str) -> Iterator[Any]:
    """Several JSON values one after the other, on lines of their own or not.

    Raises:
        Unparsed: if it is none, or too many.
    """
    decoder = json.JSONDecoder()
    at, found = 0, 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise Unparsed("not JSON") from None
        yield value
        found += 1
        if found > _MOST_DOCUMENTS:
            raise Unparsed(f"more than {_MOST_DOCUMENTS} documents")
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1


def _yaml(text: str) -> Iterator[Any]:
    builder = _Builder()
    found = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder()
            elif isinstance(event, yaml.DocumentEndEvent):
                yield builder.root
                found += 1
            else:
                builder.take(event)
            if found > _MOST_DOCUMENTS:
                raise Unparsed(f"more than {_MOST_DOCUMENTS} documents")
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Unparsed(f"not YAML: {problem}") from None
    except (UnicodeError, OverflowError) as error:
        raise Unparsed(f"not YAML: {error}") from None


@dataclass(slots=True)
class _Open:
    """A mapping or a list that is being read; `key` waits for its value."""

    value: dict[Any, Any] | list[Any]
    anchor: str | None
    key: Any = None
    keyed: bool = False


@dataclass(slots=True)
class _Builder:
    """Builds one document out of the parser's events."""

    root: Any = None
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, Any] = field(default_factory=dict)
    _aliases: int = 0

    def take(self, event: Any) -> None:
        """Take one event.

        Raises:
            Unparsed: if it makes the document one that may not be read.
        """
        match event:
            case yaml.ScalarEvent():
                value = _scalar(event)
                self._anchor(event.anchor, value)
                self._put(value)
            case yaml.AliasEvent():
                self._put(self._alias(event.anchor))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                _check_tag(event.tag)
                if len(self._open) >= _DEEPEST:
                    raise Unparsed("nested too deep")
                made: dict[Any, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(value=made, anchor=event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                self._anchor(done.anchor, done.value)
                self._put(done.value)
            case _:
                pass

    def _anchor(self, name: str | None, value: Any) -> None:
        if name:
            self._anchors[name] = value

    def _alias(self, name: str | None) -> Any:
        self._aliases += 1
        if self._aliases > _MOST_ALIASES:
            raise Unparsed("too many YAML aliases")
        if name is None or name not in self._anchors:
            raise Unparsed("a YAML alias of nothing, or of itself")
        return self._anchors[name]

    def _put(self, value: Any) -> None:
        if not self._open:
            self.root = value
            return
        into = self._open[-1]
        if isinstance(into.value, list):
            into.value.append(value)
        elif not into.keyed:
            if isinstance(value, dict | list):
                raise Unparsed("a key that is no text")
            into.key, into.keyed = value if isinstance(value, str) else str(value), True
        elif into.key == _MERGE and isinstance(value, dict):
            into.value, into.keyed = {**value, **into.value}, False
        else:
            into.value[into.key] = value
            into.keyed = False


def _scalar(event: Any) -> Any:
    """A plain scalar as JSON knows it; `yes`, `on` and dates stay text."""
    _check_tag(event.tag)
    text: str = event.value
    if not event.implicit[0] or event.tag == "tag:yaml.org,2002:str":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 30:  # noqa: PLR2004 - no number of Kubernetes is as long
        return text
    return _number(text)


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _OCTAL.fullmatch(text):
        return int(text.replace("o", ""), 8)
    return float(text) if _FLOAT.fullmatch(text) else text


def _check_tag(tag: str | None) -> None:
    if tag not in _TAGS:
        raise Unparsed(f"the YAML tag {tag}")
