"""`aegis rules`: the Falco language, without a Falco; here lint, list and eval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit, write
from aegis.interfaces.cli.rules_format import layout
from aegis.interfaces.cli.rules_input import lines, loaded, rule_texts
from aegis.interfaces.cli.rules_proof import exclude, replay

if TYPE_CHECKING:
    from aegis.falco.evaluate import Check
    from aegis.falco.problems import Problem
    from aegis.falco.rules import Ruleset
    from aegis.falco.tree import Condition
    from aegis.model.refs import Json, JsonObject

_FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())


@group("rules", examples="aegis rules lint rules.d/\naegis rules eval --condition 'proc.name = sh' --from alerts.jsonl")
def command() -> None:
    """The Falco language: rule files and conditions are read, checked and evaluated as Falco 0.44 does."""


command.add_command(layout)
command.add_command(replay)
command.add_command(exclude)


@make(
    "lint", examples="aegis rules lint falco_rules.yaml local.yaml\naegis rules lint rules.d/ -o json", parent=command
)
@_FILES
@click.option("--strict", is_flag=True, help="End with 1 for a warning too.")
@click.pass_obj
def lint(options: Globals, *, files: tuple[str, ...], strict: bool) -> int:
    """Load rule files in order, and say every error and warning by Falco's own name, and ours (AEGIS_…).

    Ours are for what Falco loads without a word: checks that match everything, `and … or` without parentheses, unsafe
    values of exceptions, rules that never fire or that another one unmasks. A folder is its *.yaml and *.yml files,
    sorted; `-` is stdin. Ends with 1 where Falco would refuse to start.
    """
    from datetime import UTC, datetime

    from aegis.falco.lint import lint as looked_at
    from aegis.falco.rules import load

    texts = rule_texts(files)
    ruleset = load(texts)
    found = looked_at(ruleset, texts, today=datetime.now(UTC).date())
    ruleset.warnings += found.warnings
    report = {**_report(ruleset), "notes": [_problem(problem) for problem in found.notes]}
    emit(options, report, lambda: _lint_text(ruleset, found.notes if options.verbose else []))
    return 0 if ruleset.successful and not (strict and ruleset.warnings) else 1


@make("list", examples="aegis rules list falco_rules.yaml", parent=command)
@_FILES
@click.pass_obj
def list_rules(options: Globals, files: tuple[str, ...]) -> int:
    """Every rule as it stands after all files: its priority, its source, and where it was defined."""
    ruleset = loaded(files)
    head = ("priority", "enabled", "source", "defined", "rule")
    rows = [
        (
            one.rule.priority.word,
            str(one.rule.enabled).lower(),
            one.rule.source,
            _place(one.rule.context),
            one.rule.name,
        )
        for one in ruleset.rules
    ]
    for problem in ruleset.errors:
        click.echo(_line(problem), err=True)
    emit(options, _report(ruleset), lambda: columns(head, rows, empty="No rules."))
    return 0 if ruleset.successful else 1


@make(
    "eval",
    outputs=("table", "json", "yaml", "jsonl"),
    examples="""
aegis rules eval --condition 'proc.name in (sh, bash)' --from alerts.jsonl
echo '{"cond": "fd.name pmatch (/etc)", "fields": {"fd.name": "/etc/shadow"}}' | aegis rules eval --batch -
""",
    parent=command,
)
@click.option("--condition", help="One condition.")
@click.option("--from", "alerts", metavar="ALERTS", help="Alerts of Falco as JSON lines; `-`: stdin.")
@click.option("--batch", metavar="FILE", help='JSON lines {"cond", "fields"}, each answered by a line; `-`: stdin.')
@click.pass_obj
def evaluate(options: Globals, condition: str | None, alerts: str | None, batch: str | None) -> int:
    """Say whether conditions hold, as Falco would: a field that is absent or null has no value."""
    _check_usage(condition, alerts, batch)
    if batch is None:
        return _against_alerts(options, condition or "", alerts)
    for line in lines(batch):
        write(options, _encoded(_answer(line)), more=True)
    return 0


def _check_usage(condition: str | None, alerts: str | None, batch: str | None) -> None:
    if (batch is None) == (condition is None) or (batch is not None and alerts is not None):
        raise UsageError("nothing to evaluate", hint="give --condition (and --from ALERTS), or --batch FILE")


def _against_alerts(options: Globals, condition: str, alerts: str | None) -> int:
    from aegis.falco.tree import text

    check, tree = _compiled(condition)
    matches, count = [], 0
    for number, fields in _alert_fields(lines(alerts) if alerts is not None else ()):
        count += 1
        if check(fields):
            matches.append(number)
    shown = text(tree)
    result = document("Evaluation", condition=shown, alerts=count, matched=len(matches), lines=matches)
    emit(options, result, lambda: f"{shown}\n{len(matches)} of {count} alerts match" if alerts else shown)
    return 0


def _compiled(condition: str) -> tuple[Check, Condition]:
    from aegis.falco.comparison import EvaluationError
    from aegis.falco.evaluate import compiled
    from aegis.falco.grammar import ConditionError, parse

    try:
        tree = parse(condition)
        return compiled(tree), tree
    except ConditionError as error:
        raise UsageError(f"no condition: {error.explained()}") from error
    except EvaluationError as error:
        raise UsageError(f"Falco would refuse the condition: {error}") from error


def _answer(line: bytes) -> JsonObject:
    """The answer to one row of a batch; a row that makes no sense is answered too."""
    import msgspec

    from aegis.falco.comparison import EvaluationError
    from aegis.falco.evaluate import compiled
    from aegis.falco.grammar import ConditionError, parse
    from aegis.falco.tree import text

    try:
        row: Any = msgspec.json.decode(line)
        condition, fields = row["cond"], row.get("fields")
        if not isinstance(condition, str) or not isinstance(fields, dict | None):
            return {"ok": False, "err": 'a row is {"cond": TEXT, "fields": {…}}'}
        tree = parse(condition)
        if fields is None:
            return {"ok": True, "ast": text(tree)}
        return {"ok": True, "match": bool(compiled(tree)(fields))}
    except ConditionError as error:
        return {"ok": False, "err": error.message}
    except EvaluationError as error:
        return {"ok": False, "err": str(error)}
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {"ok": False, "err": 'a row is {"cond": TEXT, "fields": {…}}'}


def _alert_fields(lines: Iterable[bytes]) -> Iterator[tuple[int, Json]]:
    import msgspec

    for number, line in enumerate(lines, 1):
        try:
            alert: Any = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        fields = alert.get("output_fields") if isinstance(alert, dict) else None
        if isinstance(fields, dict):
            yield number, fields


def _encoded(answer: JsonObject) -> str:
    import msgspec

    return msgspec.json.encode(answer).decode() + "\n"


def _report(ruleset: Ruleset) -> JsonObject:
    from aegis.falco.tree import text

    return document(
        "RulesetReport",
        successful=ruleset.successful,
        errors=[_problem(problem) for problem in ruleset.errors],
        warnings=[_problem(problem) for problem in ruleset.warnings],
        rules=[
            {
                "name": one.rule.name,
                "priority": one.rule.priority.word,
                "source": one.rule.source,
                "enabled": one.rule.enabled,
                "condition": text(one.condition),
            }
            for one in ruleset.rules
        ],
    )


def _problem(problem: Problem) -> JsonObject:
    context = problem.context
    return {
        "code": str(problem.code),
        "message": problem.message,
        "context": context.what,
        "file": context.file,
        "line": context.line,
        "column": context.column,
    }


def _lint_text(ruleset: Ruleset, notes: list[Problem]) -> str:
    said = [_line(problem) for problem in (*ruleset.errors, *ruleset.warnings, *notes)]
    verdict = "these rules load" if ruleset.successful else "Falco would refuse these rules"
    count = f"{len(ruleset.rules)} rules, {len(ruleset.errors)} errors, {len(ruleset.warnings)} warnings"
    return "\n".join([*said, f"{verdict}: {count}"])


def _line(problem: Problem) -> str:
    said = problem.detail or problem.message
    return f"{_place(problem.context)}: {problem.code}: {problem.context.what}: {said}"


def _place(context: Any) -> str:
    return f"{context.file}:{context.line}:{context.column}"
