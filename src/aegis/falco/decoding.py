"""Single values of an item: what is missing, empty or of another form refuses the file, in Falco's words.

Each function raises a `LoadError`. Source: the `decode_*` functions of Falco's `rule_loader_reader.cpp`.
"""

from __future__ import annotations

import re

from aegis.falco.items import Entry
from aegis.falco.priority import Priority
from aegis.falco.problems import Context, ErrorCode, LoadError
from aegis.falco.source import Mapping, Node, Scalar, Sequence

_TRUE, _FALSE = frozenset({"y", "yes", "true", "on"}), frozenset({"n", "no", "false", "off"})


def overrides_of(
    node: Mapping, appendable: tuple[str, ...], replaceable: tuple[str, ...], context: Context
) -> tuple[list[str], list[str]]:
    # The keys that are added to, and those that are replaced.
    given = node.get("override")
    found: dict[str, list[str]] = {"append": [], "replace": []}
    for key, value in given.entries if isinstance(given, Mapping) else ():
        operation = value.text if isinstance(value, Scalar) else ""
        allowed = {"append": key in appendable, "replace": key in replaceable}
        if not allowed.get(operation):
            raise _refused(_why_not(key, operation, allowed), context)
        found[operation].append(key)
    return found["append"], found["replace"]


def _why_not(key: str, operation: str, allowed: dict[str, bool]) -> str:
    if operation == "append":
        return f"Key '{key}' cannot be appended to, use 'replace' instead"
    if operation == "replace":
        return f"Key '{key}' cannot be replaced"
    words = "".join(f"{word} " for word, is_allowed in allowed.items() if is_allowed)
    return f"Invalid override operation for key '{key}': '{operation}'. Allowed values are: {words}"


def _refused(message: str, context: Context) -> LoadError:
    return LoadError(ErrorCode.YAML_VALIDATE, message, context)


def text_of(node: Mapping, key: str, context: Context) -> str:
    value = node.get(key)
    if value is None:
        raise _refused(f"Item has no mapping for key '{key}'", context)
    if isinstance(value, Scalar) and value.is_null:
        raise _refused(f"Mapping for key '{key}' is empty", context)
    if not isinstance(value, Scalar):
        raise _refused("Value is not a scalar value", context)
    if not value.text:
        raise _refused("Value must be non-empty", context)
    return value.text


def truth_of(node: Mapping, key: str, context: Context) -> bool:
    word = text_of(node, key, context).lower()
    if word not in _TRUE | _FALSE:
        raise _refused("Can't decode YAML scalar value", context)
    return word in _TRUE


def whole_of(node: Mapping, key: str, context: Context) -> int:
    text = text_of(node, key, context)
    if not re.fullmatch(r"\+?\d{1,10}", text):
        raise _refused("Can't decode YAML scalar value", context)
    return int(text)


def texts_of(node: Mapping, key: str, context: Context) -> list[str]:
    value = node.get(key)
    if value is None:
        raise _refused(f"Item has no mapping for key '{key}'", context)
    if not isinstance(value, Sequence):
        raise _refused("Value is not a sequence", context)
    if not all(isinstance(item, Scalar) for item in value.items):
        raise _refused("sequence value is not scalar", context)
    return [item.text for item in value.items if isinstance(item, Scalar)]


def priority_of(node: Mapping, context: Context) -> Priority:
    priority = Priority.parse(text_of(node, "priority", context))
    if priority is None:
        raise _refused("Invalid priority", context)
    return priority


def entry_of(node: Node, context: Context) -> Entry:
    if isinstance(node, Sequence):
        return tuple(entry_of(item, context) for item in node.items)
    if isinstance(node, Mapping):
        return ""
    if not node.text:
        raise _refused("Value must be non-empty", context)
    return node.text


def sequence_of(node: Node | None, what: str, context: Context) -> tuple[Node, ...]:
    if not isinstance(node, Sequence):
        raise _refused(f"{what} must be a sequence", context)
    return node.items


def requirement_of(node: Node, what: str, context: Context) -> tuple[str, str]:
    if not isinstance(node, Mapping):
        raise _refused(f"{what} must be a mapping", context)
    return text_of(node, "name", context), text_of(node, "version", context)
