"""Rule files in one layout: what Falco reads of them stays the same, and so does every comment.

Items keep their order, keys have one, a condition breaks before `and` and `or`, and each value is quoted only where it
must be. Comments between items stay where they are. An item with a comment inside, or with what YAML has beyond plain
values (anchors, tags, a key twice), is left as it was written, and said so: YAML readers do not tell where a comment
belongs. What comes out is read again, and must say the same as what went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import yaml

from aegis.falco.source import Mapping, Node, Scalar, Sequence, SourceError, documents
from aegis.falco.yaml_text import scalar

WIDTH: Final = 110
_KEYS: Final = (
    "required_engine_version", "required_plugin_versions", "list", "macro", "rule", "desc", "condition", "output",
    "priority", "source", "enabled", "tags", "items", "exceptions", "append", "override",
    "name", "fields", "comps", "values",
)  # fmt: skip
_PROSE: Final = frozenset({"desc", "output"})
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_QUOTED: Final = r"\"[^\"]*(?:(?<=\\)\"[^\"]*)*(?<!\\)\"|'[^']*(?:(?<=\\)'[^']*)*(?<!\\)'"
"""As the grammar reads a string: a quote after a backslash never ends it."""
_TOKEN: Final = re.compile(rf"{_QUOTED}|[(),]|[^ \t\r\n(),\"']+|[\"']")
_HEADER: Final = re.compile(r"[>|][+-]?[0-9]?[+-]?[ \t]+#")


class LayoutError(ValueError):
    """A text whose layout cannot be changed: it is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An item that was left as it was written."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A rule file in its layout, and the items that were left alone."""

    text: str
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines of a file: those before an item (comments), and the item itself."""

    before: list[str]
    lines: list[str]
    first: int


def laid_out(text: str) -> Layout:
    """A rule file in its layout.

    Raises:
        LayoutError: it is no list of items in block style, or what came out would not be read as the same.
    """
    try:
        before = documents(text)
    except SourceError as error:
        line, column = error.place
        raise LayoutError(f"{line}:{column}: {error}") from error
    parts, after = _parts(text, before)
    kept: list[Kept] = []
    blocks: list[str] = []
    for part in parts:
        blocks += _comments(part.before)
        reason = _untouchable("\n".join(part.lines))
        if reason:
            kept.append(Kept(line=part.first + 1, reason=reason))
            blocks.append("\n".join(part.lines).rstrip())
        else:
            blocks.append(_item("\n".join(part.lines)))
    blocks += _comments(after)
    found = "\n\n".join(blocks) + "\n" if blocks else ""
    found = found.removesuffix(f"{_JOIN}\n") + "\n" if found.endswith(f"{_JOIN}\n") else found
    found = found.replace(f"{_JOIN}\n\n", "\n")
    _check_same(text, before, found)
    return Layout(text=found, kept=tuple(kept))


# Taking apart.


def _parts(text: str, nodes: list[Node]) -> tuple[list[_Part], list[str]]:
    if len(nodes) > 1 or any(not isinstance(node, Sequence) for node in nodes if not _is_nothing(node)):
        raise LayoutError("it is no single list of items")
    lines = text.splitlines()
    if any(line.startswith(("%", "---", "...")) for line in lines):
        raise LayoutError("it has marks of documents or directives")
    items = nodes[0].items if nodes and isinstance(nodes[0], Sequence) else ()
    starts = [item.place[0] - 1 for item in items]
    if any(not lines[start].startswith("- ") for start in starts) or len(set(starts)) != len(starts):
        raise LayoutError("an item does not begin with `- ` at the start of a line")
    parts, at = [], 0
    for start, end in pairwise([*starts, len(lines)]):
        last = end
        while last > start + 1 and (lines[last - 1].startswith("#") or not lines[last - 1].strip()):
            last -= 1
        parts.append(_Part(lines[at:start], lines[start:last], start))
        at = last
    return parts, lines[at:]


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


_JOIN: Final = "\0"
"""Ends a block of comments that stands right above an item, without a blank line between."""


def _comments(lines: list[str]) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block) + _JOIN


def _untouchable(text: str) -> str:
    """Why an item stays as it is written; empty where it need not."""
    root = next(iter(yaml.compose_all(text, Loader=yaml.CSafeLoader)))
    rest = [list(line) for line in text.splitlines()]
    for node in _scalars(root):
        start, end = node.start_mark, node.end_mark
        if _HEADER.match(text.splitlines()[start.line][start.column :]):
            return "a comment stands in it"
        for number in range(start.line, min(end.line + 1, len(rest))):
            first = start.column if number == start.line else 0
            last = end.column if number == end.line else len(rest[number])
            rest[number][first:last] = " " * (last - first)
    left = "\n".join(map("".join, rest))
    if "#" in left:
        return "a comment stands in it"
    return "it has an anchor, an alias, a tag or a complex key" if re.search(r"[&*!?]", left) else _twice(root)


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)


def _twice(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        if len(set(map(str, keys))) != len(keys):
            return "a key stands in it twice"
    inner = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    found = (_twice(one) for one in inner) if isinstance(inner, list) else ()
    return next(filter(None, found), "")


# Putting together.


def _item(text: str) -> str:
    (node,) = documents(text)
    assert isinstance(node, Sequence)  # noqa: S101 - `_parts` saw that it is one
    (item,) = node.items
    if not isinstance(item, Mapping):
        return f"- {_flow(item)}"
    return "- " + "\n".join(_mapping(item, "  ")).lstrip()


def _mapping(node: Mapping, indent: str) -> Iterator[str]:
    order = {key: number for number, key in enumerate(_KEYS)}
    for key, value in sorted(node.entries, key=lambda entry: order.get(entry[0], len(order) - 5)):
        yield f"{indent}{scalar(key)}:{_value(key, value, indent)}"


def _value(key: str, node: Node, indent: str) -> str:
    inner = indent + "  "
    if isinstance(node, Mapping):
        return "\n" + "\n".join(_mapping(node, inner)) if node.entries else " {}"
    if isinstance(node, Sequence):
        return _sequence(node, inner)
    if key == "condition" and (tokens := _tokens(node.text)) is not None:
        return _folded(_broken(tokens), inner)
    if key in _PROSE or key == "condition":
        return _prose(_trimmed(node.text), inner)
    return f" {_plain(node)}"


def _sequence(node: Sequence, indent: str) -> str:
    if not any(isinstance(item, Mapping) for item in node.items):
        flow = _flow(node)
        if len(indent) + len(flow) + 12 < WIDTH and not any(isinstance(item, Sequence) for item in node.items):
            return f" {flow}"
    lines = []
    for item in node.items:
        if isinstance(item, Mapping) and item.entries:
            lines.append(f"{indent}- " + "\n".join(_mapping(item, indent + "  ")).lstrip())
        else:
            lines.append(f"{indent}- {_flow(item)}")
    return "\n" + "\n".join(lines) if lines else " []"


def _flow(node: Node) -> str:
    match node:
        case Scalar():
            return _plain(node)
        case Sequence(items):
            return f"[{', '.join(map(_flow, items))}]"
        case Mapping(entries):
            return f"{{{', '.join(f'{scalar(key)}: {_flow(value)}' for key, value in entries)}}}"


def _plain(node: Scalar) -> str:
    if node.is_null:
        return node.text or "null"
    if node.text.lower() in {"true", "false"} or _NUMBER.fullmatch(node.text):
        return node.text
    return scalar(node.text)


def _prose(text: str, indent: str) -> str:
    one_line = scalar(text)
    if len(indent) + len(one_line) < WIDTH and not one_line.startswith('"'):
        return f" {one_line}"
    if not text.isprintable() or text != text.strip() or not text or text[0] == "#":
        return f" {one_line}"
    lines, line = [], ""
    for word in re.split(r"(?<! ) (?! )", text):
        if line and len(indent) + len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return _folded([*lines, line], indent)


def _trimmed(text: str) -> str:
    return text.rstrip(" \t\r\n") or text


def _folded(lines: list[str], indent: str) -> str:
    if len(lines) == 1 and len(indent) + len(lines[0]) < WIDTH and (found := scalar(lines[0])) == lines[0]:
        return f" {found}"
    if not all(line.isprintable() and line == line.strip() and line and line[0] != "#" for line in lines):
        return f" {scalar(' '.join(lines))}"
    return " >-\n" + "\n".join(f"{indent}{line}" for line in lines)


# Conditions: their words stay as they are, for names of lists are put in as text.


def _tokens(text: str) -> list[str] | None:
    """The words of a condition with one blank, or none, between them; None where that could change it."""
    found: list[str] = []
    end = -1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in {'"', "'"} or not token.isprintable():
            return None
        last = found[-1] if found else ""
        is_glued = match.start() == end and not last.endswith(",")
        if last and (is_glued or token in {")", ","} or last.endswith("(")):
            found[-1] += token
        else:
            found.append(token)
        end = match.end()
    return found or None


def _broken(tokens: list[str]) -> list[str]:
    whole = " ".join(tokens)
    if len(whole) < WIDTH - 20:
        return [whole]
    lines, depth, line = [], 0, ""
    for token in tokens:
        breaks = depth == 0 and token in {"and", "or"}
        if line and (breaks or len(line) + 1 + len(token) > WIDTH):
            lines.append(line)
            line = token
        else:
            line = f"{line} {token}" if line else token
        bare = re.sub(_QUOTED, "", token)
        depth += bare.count("(") - bare.count(")")
    return [*lines, line]


# The proof.


def _check_same(text: str, before: list[Node], found: str) -> None:
    try:
        after = documents(found)
    except SourceError as error:
        raise LayoutError(f"what came out is no YAML: {error}") from error
    if [_meaning(node) for node in before if not _is_nothing(node)] != [
        _meaning(node) for node in after if not _is_nothing(node)
    ]:
        raise LayoutError("what came out would not be read as the same")
    if _remarks(text, before) != _remarks(found, after):
        raise LayoutError("a comment would be lost")


def _meaning(node: Node, key: str = "") -> object:
    match node:
        case Mapping(entries):
            return {name: _meaning(value, name) for name, value in reversed(entries)}
        case Sequence(items):
            return [_meaning(item) for item in items]
        case Scalar(text) if key == "condition":
            tokens = _tokens(text)
            return _trimmed(text) if tokens is None else " ".join(tokens)
        case Scalar(text):
            return _trimmed(text) if key in _PROSE else (text, node.is_null)


def _remarks(text: str, nodes: list[Node]) -> list[str]:
    parts, after = _parts(text, nodes)
    return [line.rstrip() for lines in (*(part.before for part in parts), after) for line in lines if line.strip()]
