"""A team's Helm values of Falco with one more rule in `customRules`: every other line, and every comment, as it was.

The text is changed by lines, and the result is read again: if it is not exactly what it was and the new rule, it is
refused. The file of ours sorts behind the others, since Falco loads a folder in the order of names.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

import yaml

FILE: Final = "zz-aegis-exceptions.yaml"
"""The key in `customRules`: a file of this name in Falco's rules.d."""
_KEY: Final = "customRules"
_LONGEST: Final = 16 << 20
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unchangeable(Exception):
    """Why a file has to be changed by hand."""


def custom_rules(text: str) -> list[tuple[str, str]]:
    """The rule files within values, by name, in the order in which Falco loads them.

    Raises:
        Unchangeable: if it is no file of values.
    """
    found, _ = _rules_in(_document(text))
    return sorted((str(name), rules) for name, rules in found.items() if isinstance(rules, str))


def with_rule(text: str, rule: str) -> str:
    """The values with a rule added.

    Args:
        text: the values.
        rule: the items to append: YAML, a list.

    Raises:
        Unchangeable: if the lines do not lend themselves to it; nothing is lost then.
    """
    before = _document(text)
    rules, path = _rules_in(before)
    if FILE in rules:
        changed = _appended(text, path, rule, str(rules[FILE]))
    elif rules:
        changed = _added(text, path, rule)
    else:
        changed = _begun(text, path, rule)
    _check(before, changed, path, rule)
    return changed


def difference(before: str, after: str, name: str) -> str:
    """A unified diff, as `git apply` and `patch -p1` read it."""
    name = name.lstrip("/")
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _document(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise Unchangeable("it is too long")
    try:
        found = yaml.load(text, Loader=_LOADER)  # noqa: S506 - it is the safe one
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unchangeable(f"it is no YAML: {' '.join(str(error).split())[:200]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unchangeable("it is no mapping")
    return found


def _rules_in(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    # `customRules`, at the top or, for a chart that has Falco as a part, below its name.
    for path in ((), ("falco",)):
        inner: Any = document
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and _KEY in inner:
            found = inner[_KEY]
            if found is not None and not isinstance(found, dict):
                raise Unchangeable(f"{_KEY} is no mapping")
            return found or {}, (*path, _KEY)
    return {}, (_KEY,)


def _node(text: str, path: tuple[str, ...]) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value at a path."""
    node = yaml.compose(text, Loader=_LOADER)
    found = None
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        found = next(((name, value) for name, value in node.value if name.value == key), None)
        if found is None:
            return None
        node = found[1]
    return found


def _begun(text: str, path: tuple[str, ...], rule: str) -> str:
    # With the first custom rule.
    found = _node(text, path)
    if found is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}\n{_KEY}:\n" + _entry(rule, 2)
    key, value = found
    lines = text.splitlines(keepends=True)
    row, margin = key.start_mark.line, key.start_mark.column
    if value.end_mark.line > row + 1 or (value.end_mark.line > row and value.end_mark.column):
        raise Unchangeable(f"{_KEY} is empty in a way that is not understood")
    head = lines[row]
    comment = head[value.end_mark.column :].strip() if value.end_mark.line == row else ""
    lines[row] = f"{head[:margin]}{_KEY}:{'  ' + comment if comment.startswith('#') else ''}\n"
    lines.insert(row + 1, _entry(rule, margin + 2))
    return "".join(lines)


def _added(text: str, path: tuple[str, ...], rule: str) -> str:
    # With a file of ours before the first of the others: there is a line to hold on to.
    found = _node(text, path)
    if found is None or not isinstance(found[1], yaml.MappingNode) or found[1].flow_style:
        raise Unchangeable(f"{_KEY} is written in braces")
    first = found[1].value[0][0].start_mark
    lines = text.splitlines(keepends=True)
    lines.insert(found[0].start_mark.line + 1, _entry(rule, first.column))
    return "".join(lines)


def _appended(text: str, path: tuple[str, ...], rule: str, old: str) -> str:
    # With the rule at the end of our file.
    found = _node(text, (*path, FILE))
    if found is None or not isinstance(found[1], yaml.ScalarNode) or found[1].style != "|":
        raise Unchangeable(f"{FILE} is no block of lines")
    value = found[1]
    lines = text.splitlines(keepends=True)
    last = value.start_mark.line + len(old.rstrip("\n").split("\n"))
    body = [line for line in lines[value.start_mark.line + 1 : last + 1] if line.strip()]
    if not body:
        raise Unchangeable(f"{FILE} is empty")
    margin = len(body[0]) - len(body[0].lstrip(" "))
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    lines.insert(last + 1, _indented(rule, margin))
    return "".join(lines)


def _entry(rule: str, margin: int) -> str:
    return f"{' ' * margin}{FILE}: |-\n{_indented(rule, margin + 2)}"


def _indented(rule: str, margin: int) -> str:
    return "".join(f"{' ' * margin}{line}\n" if line else "\n" for line in rule.rstrip("\n").split("\n"))


def _check(before: dict[str, Any], changed: str, path: tuple[str, ...], rule: str) -> None:
    # That nothing but the rule is new.
    after = _document(changed)
    old, _ = _rules_in(before)
    new, found_at = _rules_in(after)
    told = str(old.get(FILE) or "")
    expected = {**old, FILE: f"{told.rstrip(chr(10))}\n{rule}" if told else rule}
    same_rules = found_at == path and {**new, FILE: str(new.get(FILE)).rstrip("\n")} == {
        **expected,
        FILE: expected[FILE].rstrip("\n"),
    }
    if not same_rules or _without(after, path) != _without(before, path):
        raise Unchangeable("the result would not be what it was and the rule")


def _without(document: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != head}
    inner = document.get(head)
    return {**document, head: _without(inner, tuple(rest)) if isinstance(inner, dict) else inner}
