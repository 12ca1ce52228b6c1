"""What Falco accepts and nobody should write: checks of our own, beside Falco's errors and warnings.

Each looks at the rules as they stand after all files. What is certain to hide something, to break or never to fire is a
warning; what only makes a proof harder (a field that a rule tests and does not show) is a note.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from aegis.falco.derived import REPLACEMENT, SHORTENED, follows
from aegis.falco.events import types_of
from aegis.falco.grammar import TRANSFORMERS, ConditionError, parse
from aegis.falco.items import Entry, ListItem, Macro, Rule, RuleException
from aegis.falco.known import ALWAYS, consequences, known
from aegis.falco.output import OutputError, fields_of
from aegis.falco.problems import Context, LintCode, LoadError, Problem
from aegis.falco.rules import CompiledRule, Ruleset, with_exceptions, with_list
from aegis.falco.source import Mapping, Node, Scalar, SourceError, documents
from aegis.falco.source import Sequence as Nodes
from aegis.falco.tree import And, Comparison, Condition, Field, Group, Literal, checks_in, conjuncts, fields_in

_ADDRESSES = frozenset({"fd.ip", "fd.cip", "fd.sip", "fd.lip", "fd.rip"})
_EVERYWHERE = frozenset(
    {
        "container.id", "container.name", "container.image.repository", "container.image.tag", "k8s.ns.name",
        "k8s.pod.name", "evt.time", "evt.type",
    }
)  # fmt: skip
"""What Falco's container plug-in adds to every output, and what every alert tells."""
_PART_OF = frozenset({"contains", "icontains", "startswith", "endswith", "bcontains", "bstartswith"})
_LOGIC = re.compile(r"\"[^\"]*(?:(?<=\\)\"[^\"]*)*(?<!\\)\"|'[^']*(?:(?<=\\)'[^']*)*(?<!\\)'|[()]|[^\s()\"']+|[\"']")
_EXPIRES = re.compile(r"^# aegis exception:.*\bexpires=(\d{4}-\d\d-\d\d)\b")
_LIST_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_WIDEST = 255
_CLOSE = 0.85
_MOST_RULES = 2000
"""Each is held against all others; nobody has as many."""


@dataclass(slots=True)
class Lint:
    """What was found.

    Attributes:
        warnings: what should be mended.
        notes: what makes alerts of these rules hard to prove anything by.
    """

    warnings: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def lint(ruleset: Ruleset, files: Iterable[tuple[str, str]] = (), *, today: date | None = None) -> Lint:
    """Look at loaded rules, also at those of a file that Falco would refuse.

    Args:
        ruleset: what came of the files.
        files: their names and texts, for what only stands there.
        today: tells which exceptions are over; None: no such check.
    """
    found = Lint()
    lists = ruleset.collection.lists
    for macro in ruleset.collection.macros.values():
        _of_text(macro, lists, found)
    for rule in ruleset.collection.rules.values():
        _of_text(rule, lists, found)
        found.warnings += _of_exceptions(rule, lists)
        found.notes += _untold(rule, ruleset)
    _of_order(ruleset, found)
    for name, text in files:
        found.warnings += _of_source(name, text, today)
    return found


# One condition.


def _of_text(item: Macro | Rule, lists: dict[str, ListItem], found: Lint) -> None:
    place = item.condition_context if isinstance(item, Rule) else item.context
    first = _mixed(item.condition)
    if first:
        message = "`and` and `or` stand side by side without parentheses: `a and b or c` is read as `(a and b) or c`"
        # What follows an `and` is what people believe to be within it.
        where = found.warnings if first == "and" else found.notes
        where.append(Problem(LintCode.AND_OR, message, place))
    condition = _parsed(item, lists)
    for check in checks_in(condition) if condition is not None else ():
        if isinstance(check, Comparison):
            found.warnings += _of_check(check, lists, place)


def _mixed(text: str) -> str:
    """The first of two different words that join what no parentheses keep apart; empty where there are none."""
    seen = [""]
    for token in _LOGIC.findall(text):
        if token == "(":  # noqa: S105 - a parenthesis
            seen.append("")
        elif token == ")" and len(seen) > 1:  # noqa: S105 - a parenthesis
            seen.pop()
        elif token in {"and", "or"}:
            if seen[-1] not in {"", token}:
                return seen[-1]
            seen[-1] = token
    return ""


def _parsed(item: Macro | Rule, lists: dict[str, ListItem]) -> Condition | None:
    texts = [item.condition]
    if isinstance(item, Rule):
        with contextlib.suppress(LoadError):
            texts.insert(0, with_exceptions(item))
    for text in texts:
        with contextlib.suppress(ConditionError):
            return parse(_expanded(text, lists))
    return None


def _expanded(text: str, lists: dict[str, ListItem]) -> str:
    for one in lists.values():
        if one.name in text:
            text, _ = with_list(text, one.name, one.values)
    return text


def _of_check(check: Comparison, lists: dict[str, ListItem], place: Context) -> Iterator[Problem]:
    items = check.right.items if isinstance(check.right, Group) else (check.right,)
    name = check.left.name if isinstance(check.left, Field) else ""
    for value in (item.text for item in items if isinstance(item, Literal)):
        if _matches_all(check.operator, value):
            yield Problem(LintCode.CATCH_ALL, f'`{name} {check.operator} "{value}"` matches everything', place)
        if name in _ADDRESSES and "/" in value:
            network = f"{name.removesuffix('ip')}net"
            message = f"`{value}` is a network and {name} an address: Falco refuses it; write `{network} in ({value})`"
            yield Problem(LintCode.CIDR_IN_ADDRESS, message, place)
        if check.operator in {"in", "intersects", "pmatch"} and _LIST_NAME.fullmatch(value) and value not in lists:
            from difflib import get_close_matches

            near = get_close_matches(value, lists, n=1, cutoff=_CLOSE)
            if near:
                message = f"there is no list `{value}`, so it is compared as text; is `{near[0]}` meant?"
                yield Problem(LintCode.UNKNOWN_LIST, message, place)


def _matches_all(operator: str, value: str) -> bool:
    if operator in _PART_OF:
        return not value
    if operator == "pmatch":
        return not value.strip("/")
    if operator in {"glob", "iglob"}:
        return bool(value) and not value.strip("*")
    return operator == "regex" and value in {".*", "^.*$", "^.*", ".*$", "(.*)"}


# Exceptions.


def _of_exceptions(rule: Rule, lists: dict[str, ListItem]) -> Iterator[Problem]:
    for exception in rule.exceptions:
        shown = _shown(rule)
        for name in _names(exception.fields):
            if shown is not None and not follows(name, shown):
                message = f"no alert of the rule tells {name}, so that nobody can prove what the exception hides"
                yield Problem(LintCode.EXCEPTION_FIELD_NOT_IN_OUTPUT, message, exception.context)
        for comp, value in _compared(exception):
            reason = _unsafe(comp, value, lists)
            if reason:
                said = value if len(value) <= 80 else f"{value[:77]}…"  # noqa: PLR2004 - what fits a line
                yield Problem(LintCode.UNSAFE_EXCEPTION_VALUE, f"`{said}`: {reason}", exception.context)


def _names(fields: Entry | None) -> Iterator[str]:
    for text in fields if isinstance(fields, tuple) else (fields or "",):
        try:
            yield from (str(one) for one in fields_in(parse(f"{text} exists")))
        except ConditionError:
            continue


def _compared(exception: RuleException) -> Iterator[tuple[str, str]]:
    """Each value with the comparison that it is for; `[in]` for one of several."""
    comps = exception.comps
    for value in exception.values:
        if not isinstance(exception.fields, tuple):
            yield from (
                (f"[{comps}]", one) for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str)
            )
            continue
        for number, one in enumerate(value if isinstance(value, tuple) else (value,)):
            comp = comps[number] if isinstance(comps, tuple) and number < len(comps) else "="
            if isinstance(one, tuple):
                yield from ((f"[{comp}]", inner) for inner in one if isinstance(inner, str))
            else:
                yield str(comp), one


def _unsafe(comp: str, value: str, lists: dict[str, ListItem]) -> str:
    inside = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else None
    text = value if inside is None else inside
    if REPLACEMENT in text:
        return "it holds U+FFFD, while Falco compares the bytes of the event: it matches nothing"
    if text.endswith(SHORTENED):
        return "its end was cut off: it matches nothing"
    if len(text.encode("utf-8", "replace")) > _WIDEST:
        return f"it is longer than {_WIDEST} bytes"
    if any(with_list(f"({value})", name, item.values)[1] for name, item in lists.items()):
        return "it holds the name of a list, whose values are put in its place"
    return "" if inside is not None else _unquoted(comp, value)


def _unquoted(comp: str, value: str) -> str:
    if any(value.startswith(f"{name}(") for name in ("val", *TRANSFORMERS)):
        return "it is read as a transformer, not as text: quote it"
    if comp in {"in", "intersects", "pmatch"}:
        return "it is split at its commas: write a list" if "," in value and not value.startswith("(") else ""
    if re.search(r"[(),='\"]", value):
        return "it is put into the condition as it is, and breaks the whole file or means something else: quote it"
    return ""


def _shown(rule: Rule) -> frozenset[str] | None:
    try:
        return frozenset(str(one) for one in fields_of(rule.output)) | _EVERYWHERE
    except OutputError:
        return None


def _untold(rule: Rule, ruleset: Ruleset) -> Iterator[Problem]:
    compiled = next((one for one in ruleset.rules if one.rule is rule), None)
    shown = _shown(rule)
    if compiled is None or shown is None:
        return
    tested = {str(one) for one in fields_in(compiled.condition)} - {"evt.num"}
    untold = sorted(name for name in tested if not follows(name, shown))
    if untold:
        message = f"tested and not told: {', '.join(untold)}; Falco's `append_output` can tell them"
        yield Problem(LintCode.FIELD_NOT_IN_OUTPUT, message, rule.context)


# All rules together.


def _of_order(ruleset: Ruleset, found: Lint) -> None:
    enabled = [one for one in ruleset.rules if one.rule.enabled][:_MOST_RULES]
    demands = [sorted(conjuncts(one.condition), key=lambda part: len(list(fields_in(part)))) for one in enabled]
    for number, one in enumerate(enabled):
        if len(types_of(one.condition)) == 0 or known(one.condition, ALWAYS) is False:
            message = "no event can match the condition"
            found.warnings.append(Problem(LintCode.NEVER_FIRES, message, one.rule.condition_context))
        facts = consequences(one.condition)
        for earlier, wanted in zip(enabled[:number], demands, strict=False):
            if _implies(facts, wanted):
                message = f"rule {earlier.rule.name!r} comes first and matches whatever it matches: it never fires"
                # Rules of this maturity are said to overlap with others.
                where = found.notes if "maturity_sandbox" in one.rule.tags else found.warnings
                where.append(Problem(LintCode.SHADOWED, message, one.rule.context))
                break
        if any(exception.values for exception in one.rule.exceptions) and isinstance(one.condition, And):
            # The condition is `(without exceptions) and not … and not …`.
            facts = consequences(one.condition.children[0])
            others = zip(enabled[number + 1 :], demands[number + 1 :], strict=True)
            found.warnings += _unmasked(one.rule, facts, others)


def _implies(facts: dict[Condition, bool], wanted: Iterable[Condition]) -> bool:
    return all(known(one, facts) is True for one in wanted)


def _unmasked(
    rule: Rule, facts: dict[Condition, bool], others: Iterable[tuple[CompiledRule, list[Condition]]]
) -> Iterator[Problem]:
    for other, wanted in others:
        if _implies(facts, wanted):
            name = other.rule.name
            message = f"what the exceptions leave out is told by rule {name!r} instead (`rule_matching: first`)"
            yield Problem(LintCode.UNMASKS, message, rule.context)
            return


# What only stands in the files.


def _of_source(name: str, text: str, today: date | None) -> Iterator[Problem]:
    for number, line in enumerate(text.splitlines(), 1):
        found = _EXPIRES.match(line)
        if found and today is not None and found[1] < today.isoformat():
            place = Context(file=name, what="exception", line=number, column=1)
            yield Problem(LintCode.EXCEPTION_EXPIRED, f"it was to be gone on {found[1]}", place)
    try:
        nodes = documents(text)
    except SourceError:
        return
    items = [item for node in nodes if isinstance(node, Nodes) for item in node.items if isinstance(item, Mapping)]
    yield from _redefined(name, items)
    for item in items:
        override = item.get("override")
        how = override.get("exceptions") if isinstance(override, Mapping) else None
        if isinstance(how, Scalar) and how.text == "replace":
            yield from _without_comps(name, item)


def _redefined(name: str, items: list[Mapping]) -> Iterator[Problem]:
    seen: set[str] = set()
    for item in items:
        rule = item.get("rule")
        if not isinstance(rule, Scalar) or "output" not in item or "override" in item:
            continue
        if rule.text in seen:
            message = "the rule is defined a second time in this file: only the second counts"
            yield Problem(LintCode.REDEFINED, message, _at(name, item, f"rule '{rule.text}'"))
        seen.add(rule.text)


def _without_comps(name: str, item: Mapping) -> Iterator[Problem]:
    exceptions = item.get("exceptions")
    for one in exceptions.items if isinstance(exceptions, Nodes) else ():
        if isinstance(one, Mapping) and "comps" not in one:
            message = "`override: {exceptions: replace}` without comps crashes Falco 0.44.1: write comps, or append"
            yield Problem(LintCode.EXCEPTION_WITHOUT_COMPS, message, _at(name, one, "exception"))


def _at(name: str, node: Node, what: str) -> Context:
    line, column = node.place
    return Context(file=name, what=what, line=line, column=column)
