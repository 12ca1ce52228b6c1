"""Objects seen through their types: which fields they have, how two of them differ, how one merges into another.

The operations are those of structured-merge-diff, on which server-side apply stands. A view says of one place in an
object how it merges: built-in kinds by the tables of `aegis.kube.merge_schema`, custom ones by their schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aegis.kube.merge_schema import ListRule, is_atomic_map, is_open_map, key_default, list_rule
from aegis.localcluster.apiserver.fieldsets import MEMBER, FieldSet, member, union
from aegis.localcluster.apiserver.registry import Resource


class View(Protocol):
    """How the value at one place of a type merges."""

    def field(self, name: str) -> View:
        """The view of a field."""
        ...

    def item(self) -> View:
        """The view of a list's items."""
        ...

    def atomic(self) -> bool:
        """Whether a map changes as a whole."""
        ...

    def declares(self, name: str) -> bool:
        """Whether a map has this name as a field of its type, rather than as a key of the user's."""
        ...

    def rule(self) -> ListRule | None:
        """How a list merges; None where it changes as a whole."""
        ...


@dataclass(frozen=True, slots=True)
class BuiltinView:
    """A place in a built-in kind, or in any object's metadata."""

    kind: str
    path: tuple[str, ...] = ()

    def field(self, name: str) -> View:
        """See `View.field`."""
        return BuiltinView(self.kind, (*self.path, name))

    def item(self) -> View:
        """See `View.item`."""
        return self

    def atomic(self) -> bool:
        """See `View.atomic`."""
        return bool(self.path) and is_atomic_map(self.kind, self.path)

    def declares(self, name: str) -> bool:  # noqa: ARG002 - of a protocol
        """See `View.declares`."""
        return not is_open_map(self.path)

    def rule(self) -> ListRule | None:
        """See `View.rule`."""
        rule = list_rule(self.kind, self.path) if self.path else None
        return rule if rule is not None and (rule.keys or rule.unique) else None


@dataclass(frozen=True, slots=True)
class CustomView:
    """A place in a custom resource, by its structural schema."""

    schema: Mapping[str, Any]
    root: bool = False

    def field(self, name: str) -> View:
        """See `View.field`."""
        if self.root and name == "metadata":
            return BuiltinView("", ("metadata",))
        properties = self.schema.get("properties") or {}
        if name in properties:
            return CustomView(properties[name])
        extra = self.schema.get("additionalProperties")
        return CustomView(extra if isinstance(extra, Mapping) else {})

    def item(self) -> View:
        """See `View.item`."""
        return CustomView(self.schema.get("items") or {})

    def atomic(self) -> bool:
        """See `View.atomic`."""
        return bool(self.schema.get("x-kubernetes-map-type") == "atomic")

    def declares(self, name: str) -> bool:
        """See `View.declares`."""
        return self.root or name in (self.schema.get("properties") or {})

    def rule(self) -> ListRule | None:
        """See `View.rule`."""
        match self.schema.get("x-kubernetes-list-type"):
            case "map":
                return ListRule(keys=tuple(self.schema.get("x-kubernetes-list-map-keys") or ()))
            case "set":
                return ListRule(unique=True)
            case _:
                return None


def view_of(resource: Resource) -> View:
    """The view of a resource's objects."""
    return CustomView(resource.custom.schema, root=True) if resource.custom else BuiltinView(resource.kind)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fields in which a second object differs from a first one."""

    added: FieldSet
    removed: FieldSet
    modified: FieldSet


def fields_of(view: View, value: Any) -> FieldSet:
    """The set of fields that an object (as an apply configuration) has."""
    if isinstance(value, Mapping):
        if view.atomic():
            return member()
        return {f"f:{k}": _field_node(view, k, v) for k, v in value.items() if k != MEMBER}
    rule = view.rule() if isinstance(value, list) else None
    if rule is None:
        return member()
    result: FieldSet = {}
    for element, item in _indexed(rule, value).items():
        result[element] = union(member(), fields_of(view.item(), item) if isinstance(item, Mapping) else {})
    return result


def _field_node(view: View, name: str, value: Any) -> FieldSet:
    child = view.field(name)
    own = value is None or value == {} or (value == [] and child.rule() is None) or not view.declares(name)
    below = {} if value is None or value == {} else fields_of(child, value)
    return union(member(), below) if own else below


def compare(view: View, old: Any, new: Any) -> Comparison:
    """What was added, removed and changed between two objects (None where there is none)."""
    added, removed, modified = _compare(view, old, new, leaf_only=False)
    return Comparison(added, removed, modified)


_Three = tuple[FieldSet, FieldSet, FieldSet]


def _compare(view: View, old: Any, new: Any, *, leaf_only: bool) -> _Three:
    shape = _shape(view, old, new)
    if shape is None:
        return _compare_leaf(old, new)
    parts: list[FieldSet] = [{}, {}, {}]
    for element, child, before, after in shape:
        for part, found in zip(parts, _compare(child, before, after, leaf_only=False), strict=True):
            if found:
                part[element] = found
    if not leaf_only and old is None:
        parts[0] = union(parts[0], member())
    elif not leaf_only and new is None:
        parts[1] = union(parts[1], member())
    return parts[0], parts[1], parts[2]


def _shape(view: View, old: Any, new: Any) -> Iterator[tuple[str, View, Any, Any]] | None:
    """The pairs of children to compare, or None where both sides count as a leaf."""
    present = [v for v in (old, new) if v is not None]
    if all(isinstance(v, Mapping) for v in present) and any(present) and not view.atomic():
        return _map_pairs(view, old or {}, new or {})
    if all(isinstance(v, list) for v in present) and any(present) and (rule := view.rule()) is not None:
        return _list_pairs(view, _indexed(rule, old or []), _indexed(rule, new or []))
    return None


def _map_pairs(view: View, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, View, Any, Any]]:
    for name in (*old, *(n for n in new if n not in old)):
        before, after = old.get(name), new.get(name)
        if before is not after or before is None:
            yield f"f:{name}", view.field(name), before, after


def _list_pairs(view: View, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, View, Any, Any]]:
    for element in (*old, *(e for e in new if e not in old)):
        yield element, view.item(), old.get(element), new.get(element)


def _compare_leaf(old: Any, new: Any) -> _Three:
    if old is None and new is None:
        return {}, {}, {}
    if old is None:
        return member(), {}, {}
    if new is None:
        return {}, member(), {}
    return ({}, {}, {}) if old == new else ({}, {}, member())


def merge(view: View, live: Any, config: Any) -> Any:
    """The live object with a configuration laid over it; neither is changed."""
    if isinstance(live, Mapping) and isinstance(config, Mapping) and not view.atomic():
        merged = dict(live)
        for name, value in config.items():
            merged[name] = merge(view.field(name), live.get(name), value)
        return merged
    if isinstance(live, list) and isinstance(config, list) and (rule := view.rule()) is not None:
        return _merge_lists(view, _indexed(rule, live), _indexed(rule, config))
    return config


def _merge_lists(view: View, live: Mapping[str, Any], config: Mapping[str, Any]) -> list[Any]:
    merged = []
    for element in _merged_order(list(live), list(config)):
        if element in live and element in config:
            merged.append(merge(view.item(), live[element], config[element]))
        else:
            merged.append(config[element] if element in config else live[element])
    return merged


def _merged_order(live: list[str], config: list[str]) -> list[str]:
    """The configuration's order, with the live list's other items where they stood among those that both have."""
    stated, known = set(config), set(live)
    order: list[str] = []
    at = 0
    for index, element in enumerate(config):
        upcoming = next((e for e in config[index:] if e in known), None)
        while at < len(live) and live[at] != element:
            if live[at] not in stated:
                order.append(live[at])
            elif live[at] == upcoming:
                break
            at += 1
        order.append(element)
        if at < len(live) and live[at] == element:
            at += 1
    return order + [e for e in live[at:] if e not in stated]


def remove(view: View, value: Any, fields: FieldSet) -> Any:
    """An object without these fields; None where nothing is left of it."""
    if isinstance(value, Mapping) and not view.atomic():
        kept = _without(view.field, ((k, f"f:{k}", v) for k, v in value.items()), fields)
        return dict(kept) or None
    if isinstance(value, list) and (rule := view.rule()) is not None:
        items = ((e, e, i) for e, i in _indexed(rule, value).items())
        return [i for _, i in _without(lambda _: view.item(), items, fields)] or None
    return value


def _without(
    view_at: Callable[[str], View], entries: Iterator[tuple[str, str, Any]], fields: FieldSet
) -> Iterator[tuple[str, Any]]:
    for name, element, value in entries:
        gone = fields.get(element)
        if gone is None:
            yield name, value
        elif MEMBER not in gone:
            rest = remove(view_at(name), value, gone)
            if rest is not None:
                yield name, rest


def with_named_fields(view: View, fields: FieldSet) -> FieldSet:
    """A set in which every declared field that has members below it is a member itself."""
    result: FieldSet = {}
    for element, child in fields.items():
        if element == MEMBER:
            result[element] = child
            continue
        is_field = element.startswith("f:")
        below = with_named_fields(view.field(element[2:]) if is_field else view.item(), child)
        named = is_field and view.declares(element[2:]) and set(child) != {MEMBER}
        result[element] = union(below, member()) if named else below
    return result


def _indexed(rule: ListRule, items: Sequence[Any]) -> dict[str, Any]:
    """The items of an associative list or of a set by their path elements; the first of equals wins."""
    indexed: dict[str, Any] = {}
    for item in items:
        indexed.setdefault(element_of(rule, item), item)
    return indexed


def element_of(rule: ListRule, item: Any) -> str:
    """The path element of a list's item."""
    if rule.keys and isinstance(item, Mapping):
        keys = {k: item[k] if k in item else key_default(k) for k in rule.keys}
        given = {k: v for k, v in keys.items() if v is not None}
        return "k:" + json.dumps(given, sort_keys=True, separators=(",", ":"))
    return "v:" + json.dumps(item, sort_keys=True, separators=(",", ":"))
