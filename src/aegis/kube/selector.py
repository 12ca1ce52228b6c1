"""Label and field selectors: their text forms, the LabelSelector object, and whether they match.

```
selector    = requirement ( "," requirement )*
requirement = key | "!" key | key ( "=" | "==" | "!=" ) value | key ( "in" | "notin" ) "(" value ( "," value )* ")"
            | key ( ">" | "<" ) integer
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]

_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)")
_COMPARED = re.compile(r"([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(\S*)")
_PARTS = re.compile(r"(?:[^,(]|\([^)]*\))+")
_FIELD = re.compile(r"([^=!,\s]+)\s*(==|=|!=)\s*([^,]*)")
_LONGEST = 16_384


class SelectorError(ValueError):
    """The text or object is not a selector."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label (or on a field, where only In and NotIn occur)."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, Any]) -> bool:
        """Whether a set of labels meets it; an absent label meets NotIn, as in Kubernetes."""
        match self.operator:
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Gt" | "Lt":
                return self._compares(labels.get(self.key))

    def _compares(self, found: Any) -> bool:
        try:
            value, bound = int(found), int(next(iter(self.values)))
        except (TypeError, ValueError, StopIteration):
            return False
        return value > bound if self.operator == "Gt" else value < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """Every requirement has to hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, Any] | None) -> bool:
        """Whether these labels are selected."""
        return not self.nothing and all(r.matches(labels or {}) for r in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements) or self.nothing

    def __str__(self) -> str:
        return ",".join(_text(r) for r in self.requirements)


def parse_selector(text: str | None) -> Selector:
    """A label selector from its text.

    Raises:
        SelectorError: the text does not match the grammar.
    """
    source = (text or "").strip()
    if len(source) > _LONGEST:
        raise SelectorError("the selector is too long")
    if not source:
        return Selector()
    parts = _PARTS.findall(source)
    if len(",".join(parts)) != len(source):
        raise SelectorError(f"unable to parse requirement: {source!r}")
    return Selector(tuple(_requirement(p.strip()) for p in parts))


def label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """A selector from a LabelSelector object; None selects nothing, an empty one everything.

    Raises:
        SelectorError: an operator or its values make no sense.
    """
    if selector is None:
        return Selector(nothing=True)
    requirements = [Requirement(k, "In", frozenset({str(v)})) for k, v in (selector.get("matchLabels") or {}).items()]
    requirements += [_expression(e) for e in selector.get("matchExpressions") or ()]
    return Selector(tuple(requirements))


def equality_selector(labels: Mapping[str, Any] | None) -> Selector:
    """A selector from a plain map, as a Service or a ReplicationController has; None or empty selects nothing."""
    if not labels:
        return Selector(nothing=True)
    return Selector(tuple(Requirement(k, "In", frozenset({str(v)})) for k, v in labels.items()))


def node_requirements(expressions: Iterable[Mapping[str, Any]]) -> Selector:
    """A selector from a node selector term's matchExpressions (which know Gt and Lt too).

    Raises:
        SelectorError: an operator or its values make no sense.
    """
    return Selector(tuple(_expression(e, numeric=True) for e in expressions))


def parse_field_selector(text: str | None) -> Selector:
    """A field selector from its text; its keys are dotted paths, its operators = and != only.

    Raises:
        SelectorError: the text is no field selector.
    """
    requirements = []
    for part in filter(None, (text or "")[:_LONGEST].split(",")):
        match = _FIELD.fullmatch(part.strip())
        if match is None:
            raise SelectorError(f"invalid selector: {part!r}; can't understand it")
        key, operator, value = match.groups()
        requirements.append(Requirement(key, "NotIn" if operator == "!=" else "In", frozenset({value})))
    return Selector(tuple(requirements))


def match_fields(selector: Selector, obj: Mapping[str, Any]) -> bool:
    """Whether an object's fields (absent ones count as empty) meet a field selector."""
    return all(r.matches({r.key: field_value(obj, r.key)}) for r in selector.requirements)


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """The value at a dotted path as text; empty where there is none."""
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _requirement(part: str) -> Requirement:
    if match := _SET.fullmatch(part):
        key, word, listed = match.groups()
        values = frozenset(v.strip() for v in listed.split(","))
        return _checked(Requirement(key, "In" if word == "in" else "NotIn", values))
    if match := _COMPARED.fullmatch(part):
        key, sign, value = match.groups()
        operators: dict[str, Operator] = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}
        return _checked(Requirement(key, operators[sign], frozenset({value})))
    if part.startswith("!"):
        return _checked(Requirement(part[1:].strip(), "DoesNotExist"))
    return _checked(Requirement(part, "Exists"))


def _expression(expression: Mapping[str, Any], *, numeric: bool = False) -> Requirement:
    operator = expression.get("operator")
    values = frozenset(str(v) for v in expression.get("values") or ())
    known = {"In", "NotIn", "Exists", "DoesNotExist"} | ({"Gt", "Lt"} if numeric else set())
    if operator not in known:
        raise SelectorError(f"{operator!r} is not a valid label selector operator")
    if bool(values) == (operator in {"Exists", "DoesNotExist"}):
        raise SelectorError(f"the values of operator {operator} do not fit")
    return Requirement(str(expression.get("key", "")), operator, values)


def _checked(requirement: Requirement) -> Requirement:
    if not _KEY.fullmatch(requirement.key):
        raise SelectorError(f"unable to parse requirement: invalid label key {requirement.key!r}")
    for value in requirement.values:
        if not _VALUE.fullmatch(value):
            raise SelectorError(f"unable to parse requirement: invalid label value {value!r}")
    if requirement.operator in {"Gt", "Lt"} and not next(iter(requirement.values)).lstrip("-").isdigit():
        raise SelectorError("for 'Gt', 'Lt' operators, the value must be an integer")
    return requirement


def _text(requirement: Requirement) -> str:
    key, values = requirement.key, sorted(requirement.values)
    match requirement.operator:
        case "Exists":
            return key
        case "DoesNotExist":
            return f"!{key}"
        case "Gt" | "Lt":
            return f"{key}{'>' if requirement.operator == 'Gt' else '<'}{values[0]}"
        case "In" | "NotIn":
            if len(values) == 1:
                return f"{key}{'=' if requirement.operator == 'In' else '!='}{values[0]}"
            return f"{key} {'in' if requirement.operator == 'In' else 'notin'} ({','.join(values)})"
