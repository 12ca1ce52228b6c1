"""Strategic merge patch of built-in kinds: lists merge by the keys of their types, directives steer the rest.

The directives are `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/FIELD` and
`$deleteFromPrimitiveList/FIELD`; where they stand and how they order lists is as in apimachinery's `strategicpatch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aegis.kube.merge_schema import ListRule, Path, list_rule, replaces_map, retains_keys
from aegis.kube.patch import PatchError

_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"
_SCALARS = ListRule()
_Identity = Callable[[Any], Any]


def strategic_patch(kind: str, target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The target (an object of a built-in kind) after a strategic merge patch; neither argument is changed.

    Raises:
        PatchError: a directive is unknown or stands where it may not, or an item lacks its merge key.
    """
    return _merge_map(kind, (), target, patch)


def _merge_map(kind: str, path: Path, target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {k: _plain(v) for k, v in patch.items() if k != _PATCH and v is not None}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise PatchError(f"unknown patch type found: {directive!r} in map")
    merged = dict(target)
    _retain(kind, path, merged, patch)
    for name, value in patch.items():
        if name.startswith(_DELETE):
            _delete_scalars(merged, name.removeprefix(_DELETE), value)
        elif not name.startswith("$"):
            _merge_field(kind, (*path, name), merged, value)
    for name, order in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            _set_order(merged, field, (order, target.get(field)), _rule_for_order(kind, (*path, field)))
    return merged


def _merge_field(kind: str, path: Path, merged: dict[str, Any], value: Any) -> None:
    name = path[-1]
    current = merged.get(name)
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, Mapping) and isinstance(current, Mapping) and not replaces_map(kind, path):
        merged[name] = _merge_map(kind, path, current, value)
    elif isinstance(value, list) and isinstance(current, list):
        rule = list_rule(kind, path)
        merged[name] = (
            _plain(value) if rule is None or not rule.merges else _merge_list(kind, path, rule, (current, value))
        )
    else:
        merged[name] = _new_value(value)


def _new_value(value: Any) -> Any:
    """A value that the target has nothing for: directives and items to delete fall away."""
    if isinstance(value, Mapping) and value.get(_PATCH) == "delete":
        return {}
    return _plain(value)


def _merge_list(kind: str, path: Path, rule: ListRule, lists: tuple[list[Any], list[Any]]) -> list[Any]:
    current, patch = lists
    if not patch:
        return current
    if not isinstance(patch[0], Mapping):
        both = list(dict.fromkeys([*current, *patch]))
        return _ordered(both, patch, current, _identity)
    key = rule.merge_key
    if key is None:
        raise PatchError(f"cannot merge lists without merge key for {path[-1]}")
    kept, items, replaced = _special_items(current, patch, key)
    if replaced:
        return [_plain(i) for i in items]
    for item in items:
        if key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {key}")
        position = next((n for n, old in enumerate(kept) if old.get(key) == item[key]), None)
        if position is None:
            kept.append(_plain(item))
        else:
            kept[position] = _merge_map(kind, path, kept[position], item)
    return _ordered(kept, items, current, _by_key(key))


def _special_items(
    current: Sequence[Mapping[str, Any]], patch: Sequence[Any], key: str
) -> tuple[list[Any], list[Mapping[str, Any]], bool]:
    # What deletions leave of the list, the items that are no directives, and whether they replace everything.
    kept, items, replaced = list(current), [], False
    for item in patch:
        if not isinstance(item, Mapping):
            raise PatchError(f"lists of {key}: an item is not an object")
        directive = item.get(_PATCH)
        if directive is None:
            items.append(item)
        elif directive == "replace":
            replaced = True
        elif directive == "delete":
            if key not in item:
                raise PatchError(f"delete patch type with no merge key defined: {key}")
            kept = [old for old in kept if old.get(key) != item[key]]
        else:
            raise PatchError(f"unknown patch type found: {directive!r} in a list")
    return kept, items, replaced


def _retain(kind: str, path: Path, merged: dict[str, Any], patch: Mapping[str, Any]) -> None:
    names = patch.get(_RETAIN)
    if names is None:
        return
    if not isinstance(names, list) or not retains_keys(kind, path):
        raise PatchError("invalid use of $retainKeys")
    for name, value in patch.items():
        if not name.startswith("$") and value is not None and name not in names:
            raise PatchError(f"{_RETAIN} does not name {name}, which the patch sets")
    for name in [n for n in merged if n not in names]:
        del merged[name]


def _delete_scalars(merged: dict[str, Any], field: str, values: Any) -> None:
    if not isinstance(values, list):
        raise PatchError(f"{_DELETE}{field} must be a list")
    if isinstance(merged.get(field), list):
        merged[field] = [v for v in merged[field] if v not in values]


def _rule_for_order(kind: str, path: Path) -> ListRule:
    return list_rule(kind, path) or _SCALARS


def _set_order(merged: dict[str, Any], field: str, orders: tuple[Any, Any], rule: ListRule) -> None:
    order, before = orders
    if not isinstance(order, list):
        raise PatchError(f"{_ORDER}{field} must be a list")
    if isinstance(merged.get(field), list):
        identity = _by_key(rule.merge_key) if rule.merge_key else _identity
        merged[field] = _ordered(merged[field], order, before if isinstance(before, list) else [], identity)


def _identity(item: Any) -> Any:
    return item


def _by_key(key: str) -> Callable[[Any], Any]:
    return lambda item: item.get(key) if isinstance(item, Mapping) else None


def _ordered(merged: list[Any], order: Sequence[Any], before: Sequence[Any], identity: _Identity) -> list[Any]:
    """The items that `order` names in its order, the others among them where the list had them before."""
    wanted = [identity(i) for i in order]
    server = [identity(i) for i in before]
    named = sorted((i for i in merged if identity(i) in wanted), key=lambda i: wanted.index(identity(i)))
    others = [i for i in merged if identity(i) not in wanted]
    others.sort(key=lambda i: server.index(identity(i)) if identity(i) in server else len(server))
    result: list[Any] = []
    while named and others:
        left, right = identity(others[0]), identity(named[0])
        earlier = left in server and right in server and server.index(left) < server.index(right)
        result.append((others if earlier else named).pop(0))
    return result + named + others


def _plain(value: Any) -> Any:
    """A value of a patch as it is stored: without directives and without nulls."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_plain(i) for i in value if not (isinstance(i, Mapping) and _PATCH in i)]
    return value
