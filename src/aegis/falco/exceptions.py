"""Exceptions that are proved: made from alerts, as narrow as they can be, written so that nothing else is read into them.

An exception is proposed only if the rules with it load, if the rule's condition is then exactly what it was *and not*
the scope (compared as trees: this is what catches quotes, commas, parentheses and the names of lists), if no other
rule changes, and if a replay of the history silences the chosen alerts and no other. Otherwise it is refused, with the
reason. `override: {exceptions: replace}` is never written: without comps it crashes Falco 0.44.1.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from aegis.falco.alert import Alert
from aegis.falco.known import ALWAYS, consequences, known
from aegis.falco.render import quoted
from aegis.falco.replay import Replay, replay
from aegis.falco.rules import Ruleset, load
from aegis.falco.scoping import Refused, scoped
from aegis.falco.tree import And, Comparison, Condition, Field, Not, Or
from aegis.falco.tree import Literal as Value
from aegis.falco.yaml_text import scalar

Form = Literal["exception", "macro", "condition"]
FORMS: Final[tuple[Form, ...]] = ("exception", "macro", "condition")

_MADE_FOR_IT: Final = "user_known_"
"""How the default rules call the macros that are there to be filled in."""
_WORD: Final = re.compile(r"(?<![\w.])[A-Za-z][A-Za-z0-9_]*(?![\w.])", re.ASCII)

_STAND_IN: Final = '- rule: {name}\n  desc: unknown\n  condition: evt.num >= 0\n  output: "x"\n  priority: NOTICE\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an exception covers.

    Attributes:
        rule: whose exception it is.
        form: how it is written.
        name: of the exception, or of the macro; empty for a condition.
        fields: which are compared, all by `=`.
        values: for each alternative the value of each field.
        owner: who answers for it.
        expires: when it should be gone; None: never.
    """

    rule: str
    form: Form
    name: str
    fields: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    owner: str = ""
    expires: date | None = None

    @property
    def condition(self) -> Condition:
        """The scope as a condition."""
        return _either([
            _both([Comparison(Field(name), "=", Value(value)) for name, value in self._pairs(row)])
            for row in self.values
        ])

    @property
    def text(self) -> str:
        """The scope as a condition may be written, every value in quotes."""
        rows = [" and ".join(f"{name} = {quoted(value)}" for name, value in self._pairs(row)) for row in self.values]
        return rows[0] if len(rows) == 1 else " or ".join(f"({row})" for row in rows)

    def _pairs(self, row: tuple[str, ...]) -> Iterable[tuple[str, str]]:
        return zip(self.fields, row, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An exception with its proof, or why there is none.

    Attributes:
        text: the rule file to load behind the others; empty where it was refused.
        scope: what it covers, as far as that was found.
        proof: the history, replayed with it.
        refused: why not; empty where it was not.
        notes: what could not be looked at.
    """

    text: str = ""
    scope: Scope | None = None
    proof: Replay | None = None
    refused: str = ""
    notes: tuple[str, ...] = ()


def propose(
    rule: str,
    history: Sequence[Alert],
    chosen: Iterable[int],
    *,
    files: Sequence[tuple[str, str]] = (),
    form: Form = "exception",
    fields: Sequence[str] = (),
    owner: str = "",
    expires: date | None = None,
    leave_out: bool = False,
) -> Proposal:
    """Make an exception of a rule from some of its alerts, or say why none is safe.

    Args:
        rule: its name.
        history: all alerts: those that are not chosen have to stay.
        chosen: which alerts are to be silent, by their place in the history.
        files: the rules that wrote the history, name and text; without them names of lists are not known, and only
            the form `exception` can be made.
        form: how it is written.
        fields: what is compared besides namespace, image and program.
        owner: who answers for it, for the comment.
        expires: when it should be gone, for the comment.
        leave_out: whether chosen alerts that no exception can be scoped to stay told, instead of refusing all.
    """
    scope: Scope | None = None
    proof: Replay | None = None
    try:
        before, texts = _rules(rule, files or _stand_ins(rule, history, form))
        found = scoped(history, {n for n in chosen if history[n].rule == rule}, fields, leave_out=leave_out)
        unnamed = Scope(
            rule=rule, form=form, name="", fields=found.fields, values=found.values, owner=_line(owner), expires=expires
        )
        scope = replace(unnamed, name=_name(before, unnamed))
        text = written(scope, len(found.numbers))
        after = _proved(before, load([*texts, ("exception.yaml", text)]), scope)
        # Rules that only stand in for unknown ones cannot say which of them would fire instead.
        proof = replay(after, history, baseline=before, matching="first" if files else "all")
        _check_proof(proof, found.numbers)
    except Refused as reason:
        return Proposal(scope=scope, proof=proof, refused=str(reason))
    notes = found.notes
    if not files:
        notes += ("no rule files were given: names of lists and the rule's condition are not known",)
    return Proposal(text=text, scope=scope, proof=proof, notes=notes)


def written(scope: Scope, alerts: int = 0) -> str:
    """The rule file of a scope, whatever it is: `propose` proves it."""
    said = [f"owner={json.dumps(scope.owner, ensure_ascii=True)}" if scope.owner else "", f"alerts={alerts}"]
    said.insert(1, f"expires={scope.expires.isoformat()}" if scope.expires else "")
    lines = [f"# aegis exception: {' '.join(filter(None, said))}"]
    if scope.form == "macro":
        lines += [f"- macro: {scalar(scope.name)}", f"  condition: {_block(f'or ({scope.text})')}"]
        lines += ["  override:", "    condition: append"]
    elif scope.form == "condition":
        lines += [f"- rule: {scalar(scope.rule)}", f"  condition: {_block(f'and not ({scope.text})')}"]
        lines += ["  override:", "    condition: append"]
    else:
        lines += [f"- rule: {scalar(scope.rule)}", "  exceptions:", f"    - name: {scope.name}"]
        equal = ", ".join(['"="'] * len(scope.fields))
        lines += [f"      fields: [{', '.join(scope.fields)}]", f"      comps: [{equal}]"]
        lines += ["      values:"]
        lines += [f"        - [{', '.join(scalar(quoted(value)) for value in row)}]" for row in scope.values]
        lines += ["  override:", "    exceptions: append"]
    return "\n".join([*lines, ""])


# The scope.


def _stand_ins(rule: str, history: Sequence[Alert], form: Form) -> Sequence[tuple[str, str]]:
    if form != "exception":
        raise Refused(f"the form {form} needs the rule files")
    try:
        names = [scalar(name) for name in sorted({rule, *(alert.rule for alert in history)}) if name]
    except ValueError as error:
        raise Refused(str(error)) from error
    return [("unknown.yaml", "".join(_STAND_IN.format(name=name) for name in names))]


def _rules(rule: str, texts: Sequence[tuple[str, str]]) -> tuple[Ruleset, Sequence[tuple[str, str]]]:
    before = load(texts)
    if before.errors:
        raise Refused(f"the rules do not load as they are: {before.errors[0].message}")
    if all(one.rule.name != rule for one in before.rules):
        raise Refused(f"there is no rule {rule!r} in the rule files")
    return before, texts


def _name(before: Ruleset, scope: Scope) -> str:
    if scope.form == "condition":
        return ""
    found = before.collection.rules[scope.rule]
    if scope.form == "exception":
        digest = hashlib.sha256(json.dumps([scope.rule, scope.fields, scope.values]).encode()).hexdigest()[:10]
        name = f"aegis_{digest}"
        if any(one.name == name for one in found.exceptions):
            raise Refused(f"the rule has this exception already: {name}")
        return name
    macros = {macro.name: macro.condition for macro in before.collection.macros.values()}
    others = [rule.condition for rule in before.collection.rules.values() if rule.name != scope.rule]
    elsewhere = _reached("\n".join(others), macros)
    for name in sorted(_reached(found.condition, macros) - elsewhere):
        if name.startswith(_MADE_FOR_IT):
            return name
    raise Refused("the rule has no user_known_… macro of its own: take the form exception")


def _reached(text: str, macros: dict[str, str]) -> set[str]:
    """The macros that a condition names, and those that these name."""
    found: set[str] = set()
    left = [text]
    while left:
        names = {name for name in _WORD.findall(left.pop()) if name in macros} - found
        found |= names
        left += [macros[name] for name in names]
    return found


# The proof.


def _proved(before: Ruleset, after: Ruleset, scope: Scope) -> Ruleset:
    # The rules with the exception, if they load and differ by nothing but its scope.
    if after.errors:
        raise Refused(f"Falco would refuse the rules with it: {after.errors[0].message}")
    then = {one.rule.name: one.condition for one in before.rules}
    now = {one.rule.name: one.condition for one in after.rules}
    changed = [name for name in now if now[name] != then.get(name)]
    others = [name for name in changed if name != scope.rule]
    if others or set(now) != set(then):
        raise Refused(f"it would change other rules too: {', '.join(others[:5])}")
    facts = consequences(then[scope.rule])
    if known(now[scope.rule], ALWAYS | facts) != known(Not(scope.condition), facts):
        raise Refused(
            "with it the condition would not be what it was and not the scope: a value holds the name of a list, or the "
            "condition is an `or` that nothing can be appended to"
        )
    return after


def _check_proof(proof: Replay, numbers: tuple[int, ...]) -> None:
    suppressed = set(proof.suppressed)
    if suppressed - set(numbers):
        raise Refused(f"it would silence {len(suppressed - set(numbers))} alerts that were not chosen")
    if set(numbers) - suppressed:
        raise Refused(f"it would not silence {len(set(numbers) - suppressed)} of the {len(numbers)} chosen alerts")


def _both(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _either(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _block(text: str) -> str:
    """A condition on a line of its own, readable where YAML lets it be."""
    return f">-\n    {text}" if text.isprintable() else scalar(text)


def _line(text: str) -> str:
    return " ".join(text.split())
