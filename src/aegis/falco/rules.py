"""Rule files as Falco loads them: each file is added to what the earlier ones defined, and all of it is compiled anew.

Lists and exceptions are put into a condition as text before it is read, which is why a value with a comma or a quote can
break a whole file; macros are put in as trees.
Source: Falco's `rule_loader_compiler.cpp` and `filter_macro_resolver.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from aegis.falco.collection import Collection
from aegis.falco.comparison import EvaluationError
from aegis.falco.evaluate import compiled
from aegis.falco.events import event_names, types_of
from aegis.falco.fields import FieldError, resolve
from aegis.falco.grammar import (
    LIST_OPERATORS,
    MODIFIERS,
    STRING_OPERATORS,
    TRANSFORMERS,
    ConditionError,
    parse,
)
from aegis.falco.items import Entry, Rule, RuleChange, RuleException
from aegis.falco.output import OutputError, fields_of
from aegis.falco.problems import Context, ErrorCode, LoadError, Problem, WarningCode
from aegis.falco.reading import Appended, Enabling, Reader
from aegis.falco.source import SourceError, documents
from aegis.falco.tree import (
    And,
    Comparison,
    Condition,
    Field,
    Group,
    Literal,
    Not,
    Or,
    Reference,
    Term,
    Transformed,
    checks_in,
)

_TOO_MANY_TYPES = 100
_MOST_CHECKS = 200_000
"""Checks that macros may grow to, of all rules together: macros of macros double with every step."""
_MOST_TEXT = 8 << 20
"""Characters that conditions may grow to once lists stand in them."""
_DEPRECATED = ("evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.wait_latency")
_LIST_WORDS = frozenset(LIST_OPERATORS) | {f"{word} {modifier}" for word in STRING_OPERATORS for modifier in MODIFIERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """A rule that was accepted, with its condition as a tree without macros."""

    rule: Rule
    condition: Condition


@dataclass(slots=True)
class Ruleset:
    """What came of some rule files.

    Attributes:
        rules: those that were accepted, in order.
        errors: why a file was refused: the first error of each.
        warnings: by Falco's names.
        collection: all lists, macros and rules as they stand after the last file that was read.
    """

    rules: list[CompiledRule] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    collection: Collection = field(default_factory=Collection)

    @property
    def successful(self) -> bool:
        """Whether every file was accepted."""
        return not self.errors


def load(files: Iterable[tuple[str, str]], *, only_definitions: bool = False) -> Ruleset:
    """Load rule files (name and text) in order; at the first that is refused the loading ends, as Falco's start does.

    With `only_definitions` changes to what was defined before (overrides, appended exceptions) are left out.
    """
    ruleset = Ruleset()
    collection = ruleset.collection
    for name, text in files:
        warnings: list[Problem] = []
        try:
            _collect(collection, name, text, warnings, only_definitions=only_definitions)
            rules = _Compiler(collection, warnings).rules()
        except LoadError as error:
            ruleset.warnings += warnings
            ruleset.errors.append(error.problem)
            break
        ruleset.rules = rules
        ruleset.warnings += warnings
    return ruleset


def _collect(collection: Collection, name: str, text: str, warnings: list[Problem], *, only_definitions: bool) -> None:
    reader = Reader(name)
    try:
        for item in chain.from_iterable(map(reader.items, documents(text))):
            if not (only_definitions and isinstance(item, Appended | RuleChange | Enabling)):
                collection.take(item)
    except SourceError as error:
        line, column = error.place
        place = Context(file=name, what="rules content", line=line, column=column)
        raise LoadError(ErrorCode.YAML_PARSE, str(error), place) from error
    finally:
        warnings += [*reader.warnings, *collection.warnings]
        collection.warnings.clear()


class _Compiler:
    def __init__(self, collection: Collection, warnings: list[Problem]) -> None:
        self._all, self._warnings = collection, warnings
        self._used: set[tuple[str, str]] = set()
        self._checks = self._text = 0
        self._lists = self._expanded_lists()
        self._macros: dict[str, Condition] = {}

    def rules(self) -> list[CompiledRule]:
        """Every rule of a known source, compiled.

        Raises:
            LoadError: a list, a macro or a rule is refused.
        """
        for macro in self._all.macros.values():
            self._macros[macro.name] = self._parsed(macro.condition, macro.context)
        for macro in self._all.macros.values():
            known = {name for name, other in self._all.macros.items() if other.index < macro.visible}
            self._macros[macro.name] = self._resolved(self._macros[macro.name], known, macro.context)
        rules = [found for rule in self._all.rules.values() if (found := self._rule(rule)) is not None]
        self._warn_of_unused()
        return rules

    def _expanded_lists(self) -> dict[str, list[str]]:
        expanded: dict[str, list[str]] = {}
        for item in self._all.lists.values():
            values: list[str] = []
            for value in item.values:
                named = self._all.lists.get(value)
                if named is not None and named.index < item.visible:
                    self._used.add(("list", value))
                    values += named.values
                else:
                    values.append(value)
                if len(values) > _MOST_CHECKS:
                    raise LoadError(ErrorCode.VALIDATE, f"the list grows beyond {_MOST_CHECKS} values", item.context)
            expanded[item.name] = values
        return expanded

    def _rule(self, rule: Rule) -> CompiledRule | None:
        if rule.is_unknown_source:
            return None
        source = with_exceptions(rule)
        try:
            fields_of(rule.output)
        except OutputError as error:
            if error.is_unknown_field and rule.skip_if_unknown_filter:
                self._warn(WarningCode.UNKNOWN_FILTER, str(error), rule.context)
                return None
            raise LoadError(ErrorCode.COMPILE_OUTPUT, str(error), rule.context) from error
        self._warn_of_deprecated(rule)
        condition = self._resolved(self._parsed(source, rule.condition_context), set(self._macros), rule.context)
        try:
            compiled(condition)
            _check_types(condition)
        except EvaluationError as error:
            is_unknown = "nonexistent field" in str(error) or "unknown event type" in str(error)
            if is_unknown and rule.skip_if_unknown_filter:
                self._warn(WarningCode.UNKNOWN_FILTER, str(error), rule.condition_context)
                return None
            raise LoadError(ErrorCode.COMPILE_CONDITION, str(error), rule.condition_context) from error
        self._warn_of_values(condition, rule.condition_context)
        if rule.warn_evttypes and len(types_of(condition)) > _TOO_MANY_TYPES:
            message = "Rule matches too many evt.type values. This has a significant performance penalty."
            self._warn(WarningCode.NO_EVTTYPE, message, rule.context)
        return CompiledRule(rule=rule, condition=condition)

    def _parsed(self, source: str, context: Context) -> Condition:
        for name, values in self._lists.items():
            source, used = with_list(source, name, values)
            if used:
                self._used.add(("list", name))
        self._text += len(source)
        if self._text > _MOST_TEXT:
            raise LoadError(ErrorCode.VALIDATE, f"lists make conditions longer than {_MOST_TEXT} characters", context)
        try:
            return parse(source)
        except ConditionError as error:
            raise LoadError(ErrorCode.COMPILE_CONDITION, error.message, context, error.explained()) from error

    def _resolved(self, condition: Condition, known: set[str], context: Context) -> Condition:
        """The condition with every macro replaced by what it stands for."""

        def replaced(reference: Reference, path: tuple[str, ...]) -> Condition:
            name = reference.name
            if name in path:
                raise LoadError(ErrorCode.VALIDATE, f"reference loop in macro '{name}'", context)
            if name not in known or name not in self._macros:
                raise LoadError(ErrorCode.VALIDATE, f"Undefined macro '{name}' used in filter.", context)
            self._used.add(("macro", name))
            self._checks += 1 + sum(1 for _ in checks_in(self._macros[name]))
            if self._checks > _MOST_CHECKS:
                raise LoadError(ErrorCode.VALIDATE, f"macros grow beyond {_MOST_CHECKS} checks", context)
            return _mapped(self._macros[name], lambda inner: replaced(inner, (*path, name)))

        return _mapped(condition, lambda reference: replaced(reference, ()))

    # Warnings.

    def _warn_of_deprecated(self, rule: Rule) -> None:
        for name in _DEPRECATED:
            if re.search(rf"%{re.escape(name)}(?![\w.])", rule.output):
                message = f"usage of deprecated field '{name}' has been detected in the rule output"
                self._warn(WarningCode.DEPRECATED_ITEM, message, rule.context)

    def _warn_of_values(self, condition: Condition, context: Context) -> None:
        for check in (one for one in checks_in(condition) if isinstance(one, Comparison)):
            for name in _names_in(check.left):
                if name in _DEPRECATED:
                    self._warn(WarningCode.DEPRECATED_ITEM, f"deprecated field '{name}'", context)
            items = check.right.items if isinstance(check.right, Group) else (check.right,)
            for item in items:
                if isinstance(item, Literal):
                    self._warn_of_value(check, item.text, context)

    def _warn_of_value(self, check: Comparison, text: str, context: Context) -> None:
        bare = "".join(text.split())
        if check.operator == "regex" and _is_plain(text):
            words = "'=', 'contains', 'startswith', 'endswith'"
            message = f"regex check with '{text}' may be optimized with simpler operators such as {words}"
            self._warn(WarningCode.COMPILE_CONDITION, message, context)
        if _is_field(bare):
            message = f"'{text}' may be a valid field misused as a const string value"
            self._warn(WarningCode.COMPILE_CONDITION, message, context)
        if any(bare.startswith(f"{name}(") and bare.endswith(")") for name in ("val", *TRANSFORMERS)):
            message = f"'{text}' may be a valid field transformer misused as a const string value"
            self._warn(WarningCode.COMPILE_CONDITION, message, context)

    def _warn_of_unused(self) -> None:
        for macro in self._all.macros.values():
            if ("macro", macro.name) not in self._used:
                self._warn(WarningCode.UNUSED_MACRO, "Macro not referred to by any other rule/macro", macro.context)
        for item in self._all.lists.values():
            if ("list", item.name) not in self._used:
                self._warn(WarningCode.UNUSED_LIST, "List not referred to by any other rule/macro", item.context)

    def _warn(self, code: WarningCode, message: str, context: Context) -> None:
        self._warnings.append(Problem(code, message, context))


# Text that is put into conditions.


def with_exceptions(rule: Rule) -> str:
    """A rule's condition with its exceptions, as text.

    Raises:
        LoadError: the values do not fit the fields.
    """
    if not rule.exceptions:
        return rule.condition
    parts = [f"({rule.condition})"]
    parts += [f"not {text}" for exception in rule.exceptions if (text := _exception_text(exception))]
    return " and ".join(parts)


def with_list(source: str, name: str, values: list[str]) -> tuple[str, bool]:
    """A condition with the name of a list replaced by its values, and whether it was there.

    The name counts where blanks, commas, parentheses or an equals sign stand around it, in quotes too.
    """
    put = ", ".join(_quoted(value) for value in values)
    found, at, used = [], 0, False
    for match in re.finditer(rf"(?<![^ \t\n\r(),=]){re.escape(name)}(?![^ \t\n\r(),=])", source):
        before, after = source[at : match.start()].rstrip(" \t\n\r"), match.end()
        rest = source[after:].lstrip(" \t\n\r")
        if not put and before.endswith(","):
            before = before[:-1]
        elif not put and rest.startswith(","):
            rest = rest[1:]
        found.append(f"{before} {put} ")
        at, used = len(source) - len(rest), True
    return ("".join(found) + source[at:] if used else source), used


def _exception_text(exception: RuleException) -> str:
    fields, comps, context = exception.fields, exception.comps, exception.context
    if not isinstance(fields, tuple):
        if any(isinstance(value, tuple) for value in exception.values):
            raise LoadError(ErrorCode.VALIDATE, "Expected values array to contain a list of strings", context)
        values = ", ".join(_quoted(str(value)) for value in exception.values)
        return f"({fields} {comps} ({values}))" if exception.values else ""
    alternatives = []
    for value in exception.values:
        if not isinstance(value, tuple) or len(value) != len(fields):
            raise LoadError(ErrorCode.VALIDATE, "Fields and values lists must have equal length", context)
        checks = [
            f"{name} {comp} {_value_text(str(comp), one)}"
            for name, comp, one in zip(fields, comps or (), value, strict=False)
        ]
        alternatives.append(f"({' and '.join(checks)})")
    return f"({' or '.join(alternatives)})" if alternatives else ""


def _value_text(comp: str, value: Entry) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_quoted(str(one)) for one in value)})"
    if comp in _LIST_WORDS:
        return value if value.startswith("(") else f"({value})"
    return _quoted(value)


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value and value[0] not in "\"'" else value


# Trees.


def _mapped(condition: Condition, change: Callable[[Reference], Condition]) -> Condition:
    match condition:
        case And(children):
            return And(tuple(_mapped(child, change) for child in children))
        case Or(children):
            return Or(tuple(_mapped(child, change) for child in children))
        case Not(child):
            return Not(_mapped(child, change))
        case Reference():
            return change(condition)
        case _:
            return condition


def _check_types(condition: Condition) -> None:
    for check in (one for one in checks_in(condition) if isinstance(one, Comparison)):
        items = check.right.items if isinstance(check.right, Group) else (check.right,)
        named = {item.text for item in items if isinstance(item, Literal)} if check.left == Field("evt.type") else set()
        for name in sorted(named - event_names()):
            raise EvaluationError(f"unknown event type {name}")


def _names_in(term: Term) -> Iterator[str]:
    if isinstance(term, Field):
        yield term.name
    elif isinstance(term, Transformed):
        for argument in term.arguments:
            yield from _names_in(argument)


def _is_field(text: str) -> bool:
    match = re.fullmatch(r"([a-zA-Z][\w]*(?:\.[a-zA-Z]\w*)+)(?:\[([^\]]+)\])?", text)
    if match is None:
        return False
    try:
        return bool(resolve(Field(match[1], match[2])))
    except FieldError:
        return False


def _is_plain(pattern: str) -> bool:
    """Whether a regular expression has nothing special in its middle."""
    inner = re.sub(r"^\^|\$$", "", pattern)
    inner = re.sub(r"^\.[+*?](?=.)|\.[+*?]$", "", inner)
    return not re.search(r"[.+*?^$()\[\]{}|\\]", inner)
