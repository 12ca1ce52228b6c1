"""`aegis rules replay|except`: what rules would have made of a history of alerts, and exceptions that are proved by it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit
from aegis.interfaces.cli.rules_input import alerts_of, rule_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.falco.alert import Alert
    from aegis.falco.exceptions import Form, Proposal
    from aegis.falco.replay import Matching
    from aegis.falco.rules import Ruleset
    from aegis.model.refs import JsonObject

    Texts = list[tuple[str, str]]

_DAYS = 90
_EXPIRES = re.compile(r"(\d{1,4})d")
_ALERTS = click.option(
    "--from", "alerts", required=True, metavar="ALERTS", help="Alerts of Falco as JSON lines; `-`: stdin."
)
_RULES = "Rule files and folders, in order; more may follow the first."


@make(
    "replay",
    examples="""
aegis rules replay --rules falco_rules.yaml exceptions.yaml --from alerts.jsonl
aegis rules replay --rules rules.d/ --baseline falco_rules.yaml --from alerts.jsonl -o json -v
""",
)
@click.option("--rules", "first", multiple=True, required=True, metavar="FILE...", help=_RULES)
@click.argument("more", nargs=-1, metavar="[FILE...]", type=click.Path())
@click.option("--baseline", multiple=True, metavar="FILE", help="The rules that wrote the alerts; may be repeated.")
@click.option("--rule-matching", type=click.Choice(["first", "all"]), default="first", help="Falco's setting.")
@_ALERTS
@click.pass_obj
def replay(
    options: Globals,
    *,
    first: tuple[str, ...],
    more: tuple[str, ...],
    baseline: tuple[str, ...],
    rule_matching: Matching,
    alerts: str,
) -> int:
    """Say which alerts the rules would have told, which not, and which cannot be decided, and why.

    What the rules were when the alerts were written makes it precise: --baseline, or else all files but the last; of a
    single file what it defines without its overrides. A field that is not told leaves an alert unknown, and is named.
    """
    from aegis.falco import replay as falco
    from aegis.falco.report import replay_fields

    texts = rule_texts([*first, *more])
    rules = _accepted(texts)
    before = _accepted(rule_texts(baseline)) if baseline else _before(texts, rules)
    history = _history(alerts)
    found = falco.replay(rules, history, baseline=before, is_certain=bool(baseline), matching=rule_matching)
    fields = replay_fields(found, history, with_ids=options.verbose > 0)
    emit(options, document("ReplayReport", **fields), lambda: _replay_text(fields))
    return 0


@make(
    "except",
    examples="""
aegis rules except "Read sensitive file untrusted" --rules falco_rules.yaml --from alerts.jsonl \\
    --where 'k8s.ns.name = ci' --owner platform
aegis rules except "Terminal shell in container" --from alerts.jsonl -o json
""",
)
@click.argument("rule")
@click.argument("more", nargs=-1, metavar="[FILE...]", type=click.Path())
@click.option("--rules", "first", multiple=True, metavar="FILE...", help=_RULES)
@_ALERTS
@click.option("--where", metavar="CONDITION", help="Only the alerts for which this holds (Falco's language).")
@click.option(
    "--form", type=click.Choice(["exception", "macro", "condition"]), default="exception", help="How written."
)
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Compare this field too; may be repeated.")
@click.option("--owner", default="", help="Who answers for it.")
@click.option("--expires", default=f"{_DAYS}d", metavar="DATE|DAYS", help=f"When it ends: 2027-01-31, 30d ({_DAYS}d).")
@click.pass_obj
def exclude(
    options: Globals,
    *,
    rule: str,
    more: tuple[str, ...],
    first: tuple[str, ...],
    alerts: str,
    where: str | None,
    form: Form,
    fields: tuple[str, ...],
    owner: str,
    expires: str,
) -> int:
    """Write the narrowest exception that silences the chosen alerts of a rule, prove it by replay, or refuse it.

    It is scoped to the namespace, the image and the program at least; without --where alerts that do not tell these
    stay. Ends with 1 where no exception is safe, and says why.
    """
    from aegis.falco.exceptions import propose
    from aegis.falco.report import proposal_fields, replay_fields

    texts = rule_texts([*first, *more])
    _check_rule(rule, texts)
    until = _date(expires)
    history = _history(alerts)
    chosen = _chosen(history, rule, where)
    found = propose(
        rule,
        history,
        chosen,
        files=texts,
        form=form,
        fields=fields,
        owner=owner,
        expires=until,
        leave_out=where is None,
    )
    proof = None
    if found.proof is not None:
        proof = document("ReplayReport", **replay_fields(found.proof, history, with_ids=options.verbose > 0))
    result = document("RuleException", **proposal_fields(found, proof))
    emit(options, result, lambda: _proposal_text(found, proof))
    return 1 if found.refused else 0


def _check_rule(rule: str, texts: Texts) -> None:
    if texts and all(one.rule.name != rule for one in _accepted(texts).rules):
        raise UsageError(f"there is no rule {rule!r} in these files", hint="`aegis rules list` shows them")


def _accepted(texts: Texts) -> Ruleset:
    from aegis.falco.rules import load

    found = load(texts)
    for problem in found.errors:
        context = problem.context
        place = f"{context.file}:{context.line}:{context.column}"
        raise UsageError(
            f"Falco would refuse the rules: {place}: {problem.message}", hint="`aegis rules lint` says more"
        )
    return found


def _before(texts: Texts, rules: Ruleset) -> Ruleset:
    """What most likely wrote the history: all files but the last, or what a single one defines."""
    from aegis.falco.rules import Ruleset, load

    if len(texts) > 1:
        found = load(texts[:-1])
        return found if found.successful else Ruleset()
    now = {one.rule.name: one.condition for one in rules.rules}
    defined = load(texts, only_definitions=True)
    changed = [one for one in defined.rules if now.get(one.rule.name) != one.condition]
    return Ruleset(rules=changed)


def _history(name: str) -> list[Alert]:
    found, others = alerts_of(name)
    if others:
        click.echo(f"{others} lines of {name} are no alerts and were left out", err=True)
    return found


def _chosen(history: Sequence[Alert], rule: str, where: str | None) -> list[int]:
    from aegis.falco.derived import told
    from aegis.falco.evaluate import compiled
    from aegis.falco.grammar import ConditionError, parse
    from aegis.falco.tree import columns_of, fields_in

    numbers = [number for number, alert in enumerate(history) if alert.rule == rule]
    if where is None:
        chosen = numbers
    else:
        try:
            tree = parse(where)
            check = compiled(tree)
        except ConditionError as error:
            raise UsageError(f"--where is no condition: {error.explained()}") from error
        except ValueError as error:
            raise UsageError(f"Falco would refuse --where: {error}") from error
        names = {name for field in fields_in(tree) for name in columns_of(field)}
        chosen = [number for number in numbers if check(told(history[number], names)[0])]
    if not chosen:
        raise UsageError(f"no alert of {rule!r} {'is chosen by --where' if numbers else 'is there'}")
    return chosen


def _date(text: str) -> date:
    if found := _EXPIRES.fullmatch(text):
        return (datetime.now(UTC) + timedelta(days=int(found[1]))).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--expires {text!r} is no date", hint="write 2027-01-31 or 30d") from None


# For people.


def _replay_text(fields: JsonObject) -> str:
    rows = [
        (
            one["rule"] or "(text: no rule)",
            one["suppressed"],
            one["kept"],
            one["unknown"],
            ", ".join(one["missing_fields"]),
        )
        for one in fields["rules"]
    ]
    counts = ", ".join(f"{fields[outcome]} {outcome}" for outcome in ("suppressed", "kept", "unknown"))
    lines = [columns(("rule", "suppressed", "kept", "unknown", "missing fields"), rows, empty="No alerts.")]
    lines.append(f"{fields['alerts']} alerts: {counts}, in {fields['seconds']:.2f} s")
    lines += [_unmasked_text(one) for one in fields["unmasked_by"]]
    if fields["without_rule"]:
        lines.append(f"{fields['without_rule']} alerts are of rules that are in none of the files")
    if fields["append_output"]:
        lines += ["What falco.yaml needs so that the next history decides it:", fields["append_output"].rstrip()]
    return "\n".join(lines)


def _unmasked_text(one: dict[str, Any]) -> str:
    told = [
        f"{one['certain']} times" if one["certain"] else "",
        f"perhaps {one['possible']}" if one["possible"] else "",
    ]
    return f"then {one['by']!r} fires instead of {one['rule']!r}: {', '.join(filter(None, told))}"


def _proposal_text(found: Proposal, proof: JsonObject | None) -> str:
    if found.refused:
        return f"refused: {found.refused}"
    lines = [found.text.rstrip()]
    if proof is not None:
        counts = f"{proof['suppressed']} of {proof['alerts']} alerts suppressed, {proof['unknown']} unknown"
        lines += ["", f"# proved by replay: {counts}", *(f"# {_unmasked_text(one)}" for one in proof["unmasked_by"])]
    return "\n".join([*lines, *(f"# {note}" for note in found.notes)])
