"""Validation rules in CEL (x-kubernetes-validations).

The expressions are evaluated by `cel-python`, loaded where the first rule is met. It knows the CEL standard, not
Kubernetes' own library (`isURL`, `quantity`, `ip`, optional values …): a definition whose rules use what it does not
know is refused, so that no rule is ever silently left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from aegis.localcluster.apiserver.refusals import invalid_value
from aegis.localcluster.status import Cause

Schema = Mapping[str, Any]

_KNOWN = frozenset({
    "all", "exists", "exists_one", "map", "filter", "has", "size", "startsWith", "endsWith", "contains", "matches",
    "int", "uint", "double", "string", "bool", "bytes", "type", "dyn", "duration", "timestamp", "getFullYear",
    "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds",
    "getMilliseconds",
})  # fmt: skip
_LONGEST = 10_000


class RuleError(ValueError):
    """A rule that does not parse, or that the local cluster cannot evaluate."""


def check_rule(rule: str) -> None:
    """Make sure that a rule can be evaluated.

    Raises:
        RuleError: it cannot; the message says why.
    """
    for name in _functions(_compiled(rule)):
        if name not in _KNOWN:
            raise RuleError(f"the local cluster does not evaluate the function {name!r}")


def rule_faults(schema: Schema, value: Any, old: Any, path: str = "") -> Iterator[Cause]:
    """The rules of a schema (and of the schemas below) that a value breaks.

    A rule about `oldSelf` applies only where there is an old value.
    """
    for rule in schema.get("x-kubernetes-validations") or ():
        if old is None and "oldSelf" in rule["rule"]:
            continue
        if (message := _broken(rule, value, old)) is not None:
            yield invalid_value(_path(path, rule), _kind(value), message)
    if isinstance(value, Mapping):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, item in value.items():
            child = properties.get(name, extra)
            if isinstance(child, Mapping) and not (path == "" and name == "metadata"):
                before = old.get(name) if isinstance(old, Mapping) else None
                yield from rule_faults(child, item, before, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        for number, item in enumerate(value):
            yield from rule_faults(schema["items"], item, _counterpart(item, old, keys), f"{path}[{number}]")


def _counterpart(item: Any, old: Any, keys: tuple[str, ...]) -> Any:
    """The item of the old list that this one replaces, which only an associative list can tell."""
    if not keys or not isinstance(old, list) or not isinstance(item, Mapping):
        return None
    return next((o for o in old if all(o.get(k) == item.get(k) for k in keys)), None)


def _broken(rule: Mapping[str, Any], value: Any, old: Any) -> str | None:
    import celpy.adapter
    import celpy.evaluation

    bound = {"self": celpy.adapter.json_to_cel(value)}
    if old is not None:
        bound["oldSelf"] = celpy.adapter.json_to_cel(old)
    try:
        holds = _program(rule["rule"]).evaluate(bound)
    except celpy.evaluation.CELEvalError as error:
        return f"rule evaluation error: {rule['rule']}: {_reason(error)}"
    if holds:
        return None
    if expression := rule.get("messageExpression"):
        try:
            return str(_program(expression).evaluate(bound))
        except celpy.evaluation.CELEvalError:
            pass
    return str(rule.get("message") or f"failed rule: {rule['rule']}")


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)


def _path(path: str, rule: Mapping[str, Any]) -> str:
    return f"{path}{rule['fieldPath']}".lstrip(".") if rule.get("fieldPath") else path


def _kind(value: Any) -> str:
    return {dict: "object", list: "array", str: "string", bool: "boolean"}.get(type(value), "number")


@lru_cache(maxsize=512)
def _compiled(rule: str) -> Any:
    import celpy
    import celpy.celparser

    if len(rule) > _LONGEST:
        raise RuleError("the rule is too long")
    try:
        return celpy.Environment().compile(rule)
    except celpy.celparser.CELParseError as error:
        raise RuleError(f"the rule does not parse: {str(error).splitlines()[0]}") from None


@lru_cache(maxsize=512)
def _program(rule: str) -> Any:
    import celpy

    return celpy.Environment().program(_compiled(rule))


def _functions(tree: Any) -> Iterator[str]:
    """The names of the functions and macros that an expression calls."""
    for call in tree.find_pred(lambda t: t.data in {"ident_arg", "member_dot_arg"}):
        yield next(str(c) for c in call.children if getattr(c, "type", "") == "IDENT")
