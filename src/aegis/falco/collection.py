"""Items of rule files as they pile up: a later one defines anew, adds to, or changes what an earlier one defined.

Source: Falco's `rule_loader_collector.cpp`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aegis.falco.fields import FieldError, resolve
from aegis.falco.grammar import LIST_OPERATORS, MODIFIERS, NUMBER_OPERATORS, STRING_OPERATORS, ConditionError, parse
from aegis.falco.items import Entry, ListItem, Macro, Rule, RuleChange, RuleException
from aegis.falco.problems import Context, ErrorCode, LoadError, Problem, WarningCode
from aegis.falco.reading import Appended, Enabling, EngineVersion, Item, PluginVersions
from aegis.falco.tree import Exists, Field, Term, Transformed

ENGINE = (0, 62, 0)
"""The engine whose answers are given here: that of Falco 0.44.1."""
SOURCES = frozenset({"syscall"})

_OPERATORS = frozenset({"exists", *NUMBER_OPERATORS, *STRING_OPERATORS, *LIST_OPERATORS})
_MODIFIED = frozenset(f"{word} {modifier}" for word in STRING_OPERATORS for modifier in MODIFIERS)
_SINGLE = (
    "When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier operator "
    "(e.g. startswith oneof)"
)
_ATTRIBUTE = {
    "condition": "condition", "output": "output", "desc": "description", "priority": "priority", "capture": "capture",
    "capture_duration": "capture_duration", "tags": "tags", "exceptions": "exceptions", "enabled": "enabled",
    "warn_evttypes": "warn_evttypes", "skip-if-unknown-filter": "skip_if_unknown_filter",
}  # fmt: skip


_PLURAL: dict[type, tuple[str, str, str]] = {
    ListItem: ("List", "items", "lists"),
    Macro: ("Macro", "condition", "macros"),
}


@dataclass(slots=True)
class Collection:
    """All that was defined so far; a redefinition keeps its first place.

    Attributes:
        plugins: what the files need, by name and version.
        warnings: what was found on the way.
    """

    lists: dict[str, ListItem] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    plugins: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _next: int = 0

    def take(self, item: Item) -> None:
        """Add one item; a `LoadError` is raised where it does not fit what is there."""
        match item:
            case EngineVersion():
                _check_engine(item)
            case PluginVersions():
                self._need(item)
            case ListItem():
                _place(self.lists, item, self._count())
            case Macro():
                _place(self.macros, item, self._count())
            case Appended():
                self._extend(item.item)
            case Rule():
                self._define(item)
            case RuleChange():
                self._change(item)
            case Enabling():
                self._enable(item)

    def _extend(self, added: ListItem | Macro) -> None:
        kind, key, known = _PLURAL[type(added)]
        earlier = getattr(self, known).get(added.name)
        if earlier is None:
            message = (
                f"{kind} uses 'append' or 'override.{key}: append' but no {kind.lower()} by that name already exists"
            )
            raise _refused(message, added.context)
        if isinstance(added, ListItem):
            earlier.values += added.values
        else:
            earlier.condition += " " + added.condition
        earlier.visible = self._count()

    def _enable(self, item: Enabling) -> None:
        rule = self.rules.get(item.name)
        if rule is None:
            raise _refused("Rule has 'enabled' key but no rule by that name already exists", item.context)
        rule.enabled = item.enabled

    def _count(self) -> int:
        self._next += 1
        return self._next

    def _need(self, item: PluginVersions) -> None:
        seen: set[str] = set()
        for name, version in item.alternatives:
            if not re.fullmatch(r"\d+\.\d+\.\d+(?:[-+].*)?", version):
                raise _refused(f"Invalid required version '{version}' for plugin '{name}'", item.context)
            if name in seen:
                message = f"Defined multiple alternative version requirements for plugin '{name}'"
                raise _refused(message, item.context)
            seen.add(name)
        self.plugins.append(item.alternatives)

    def _define(self, rule: Rule) -> None:
        self._check_source(rule.name, rule.source, rule.context)
        if rule.source not in SOURCES:
            rule.is_unknown_source = True
            message = f"Unknown source {rule.source}, skipping"
            self.warnings.append(Problem(WarningCode.UNKNOWN_SOURCE, message, rule.context))
        for exception in rule.exceptions:
            _check_exception(exception, check_fields=not rule.is_unknown_source)
        self.rules[rule.name] = rule
        self._count()

    def _change(self, change: RuleChange) -> None:
        self._check_source(change.name, change.source, change.context)
        rule = self.rules.get(change.name)
        if rule is None:
            raise _refused(_no_previous_rule(change), change.context)
        if change.is_old_append and not change.append:
            raise _refused("Appended rule must have exceptions or condition property", change.context)
        for key, value in change.append.items():
            self._append(rule, key, value)
        for key, value in change.replace.items():
            setattr(rule, _ATTRIBUTE[key], value)
        self._count()

    def _append(self, rule: Rule, key: str, value: object) -> None:
        if key == "exceptions" and isinstance(value, list):
            for exception in value:
                _add_exception(rule, exception)
        elif key == "tags" and isinstance(value, list):
            rule.tags += [tag for tag in value if tag not in rule.tags]
        else:
            attribute = _ATTRIBUTE[key]
            setattr(rule, attribute, f"{getattr(rule, attribute)} {value}")

    def _check_source(self, name: str, source: str, context: Context) -> None:
        earlier = self.rules.get(name)
        if earlier is not None and source and earlier.source != source:
            raise _refused("Rule has been re-defined with a different source", context)


def _check_engine(item: EngineVersion) -> None:
    if item.version > ENGINE or item.version[0] != ENGINE[0]:
        ours = ".".join(map(str, ENGINE))
        raise _refused(f"Rules require engine version {item.text}, but engine version is {ours}", item.context)


def _place(known: dict[str, Any], item: ListItem | Macro, index: int) -> None:
    earlier = known.get(item.name)
    item.index, item.visible = (earlier.index if earlier else index), index
    known[item.name] = item


def _add_exception(rule: Rule, exception: RuleException) -> None:
    earlier = next((known for known in rule.exceptions if known.name == exception.name), None)
    if earlier is None:
        if exception.fields is None:
            raise _refused("Rule exception must have fields property with a list of fields", exception.context)
        if not exception.values:
            raise _refused("Rule exception must have values property with a list of values", exception.context)
        _check_exception(exception, check_fields=not rule.is_unknown_source)
        rule.exceptions.append(exception)
        return
    for name, given in (("fields", exception.fields), ("comps", exception.comps)):
        if given is not None:
            message = f"Can not append exception {name} to existing exception, only values"
            raise _refused(message, exception.context)
    earlier.values += exception.values


def _check_exception(exception: RuleException, *, check_fields: bool) -> None:
    fields = exception.fields
    exception.comps = _comps_of_several(exception, fields) if isinstance(fields, tuple) else _comp_of_one(exception)
    for name in (fields if isinstance(fields, tuple) else (fields,)) if check_fields else ():
        if not is_left_side(str(name)):
            raise _refused(f"'{name}' is not a supported filter field", exception.context)


def _comps_of_several(exception: RuleException, fields: tuple[Entry, ...]) -> Entry:
    comps = exception.comps if exception.comps is not None else ("=",) * len(fields)
    if not isinstance(comps, tuple) or len(comps) != len(fields):
        raise _refused("Fields and comps lists must have equal length", exception.context)
    words = tuple(_stripped(word) for word in comps)
    for word in words:
        if word not in _OPERATORS and word not in _MODIFIED:
            raise _refused(f"'{word}' is not a supported comparison operator", exception.context)
    return words


def _comp_of_one(exception: RuleException) -> Entry:
    comps = exception.comps if exception.comps is not None else "in"
    if isinstance(comps, tuple):
        raise _refused("Fields and comps must both be strings", exception.context)
    word = _stripped(comps)
    if word not in LIST_OPERATORS and word not in _MODIFIED:
        raise _refused(_SINGLE, exception.context)
    return word


def is_left_side(text: str) -> bool:
    """Whether a text is a field, or transformers around one, of the catalogue."""
    try:
        found = parse(f"{text} exists")
        return isinstance(found, Exists) and all(resolve(one) for one in _fields_of(found.left))
    except (ConditionError, FieldError):
        return False


def _fields_of(term: Term) -> list[Field]:
    if isinstance(term, Transformed):
        return [one for argument in term.arguments for one in _fields_of(argument)]
    return [term] if isinstance(term, Field) else []


def _stripped(word: Entry) -> str:
    return word.strip(" \t\r\n") if isinstance(word, str) else ""


def _no_previous_rule(change: RuleChange) -> str:
    if change.replace:
        return "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists"
    return "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"


def _refused(message: str, context: Context) -> LoadError:
    return LoadError(ErrorCode.VALIDATE, message, context)
