"""`aegis triage [RULE]`: what Falco's alerts mean, and the narrowest mend of what is benign, with its proof."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import AegisCommand, Globals, moment, parse_duration
from aegis.interfaces.cli.output import document, emit
from aegis.interfaces.cli.session import progress_of, run_async, settings_of

if TYPE_CHECKING:
    from aegis.falco.alert import Alert
    from aegis.falco.priority import Priority
    from aegis.falco.query import AlertQuery
    from aegis.model.refs import JsonObject
    from aegis.ports import AlertBatch
    from aegis.triage.baseline import Entry
    from aegis.triage.report import Findings
    from aegis.triage.study import Request

_MOST = 100_000
_DAYS = 90
_USUAL = "24h"
_LONGEST = 16 << 20


class _Triage(AegisCommand):
    """`aegis triage verify …` is a command of its own; whatever else follows is for the triage itself."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Of the triage, or of what `verify` begins."""
        if args[:1] == ["verify"]:
            from aegis.interfaces.cli.triage_verify import command as verify

            found: click.Context = verify.make_context(f"{info_name} verify", args[1:], parent, **extra)
            return found
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    "triage",
    cls=_Triage,
    examples="""
aegis triage                                                   the last day's Critical alerts that were kept
aegis triage "Drop and execute new binary in container" --source victorialogs
aegis triage --from alerts.jsonl --rules falco_rules.yaml --values falco/values.yaml --owner platform
aegis triage verify "Drop and execute new binary in container" -n headscale --retrigger cronjob/headscale-backup
""",
)
@click.argument("rule", required=False, default="")
@click.option("--from", "file", metavar="FILE", help="A log of Falco instead of a source; `-`: stdin. All of it.")
@click.option("--source", default="", metavar="SOURCE", help="store (default), falco, victorialogs or loki.")
@click.option("--since", metavar="TIME", help=f"From when on: 30m, 7d, a moment (default {_USUAL}; of a file: all).")
@click.option(
    "--priority",
    metavar="PRIORITY",
    help="Groups of this priority or a graver one (default critical; with a RULE or a file: all).",
)
@click.option(
    "--rules", multiple=True, metavar="FILE", help="The rules that wrote the alerts: files or folders, in order."
)
@click.option(
    "--values", "values", metavar="FILE", help="Your Helm values of Falco: a diff of its customRules is made."
)
@click.option("--baseline", metavar="FILE", help="What you know to be ordinary; added to what AEGIS knows.")
@click.option("--owner", default="", metavar="WHO", help="Who answers for exceptions.")
@click.option("--expires", default=f"{_DAYS}d", metavar="DATE|DAYS", help=f"When exceptions end ({_DAYS}d).")
@click.pass_obj
def command(options: Globals, /, rule: str, **how: Any) -> int:
    """Group alerts, judge each group, and mend what is benign as narrowly as can be.

    A group is one activity of one workload. It is benign only if a baseline knows it, its namespace, image and program
    are told, and it is no step of an attack; what is not sure counts as real. Attacks (several signs in one workload
    within ten minutes) are looked for in all alerts, whatever is asked for.

    What is benign gets mends in this order: the tool is built into the image, a scoped exception, the rule is switched
    off. Each carries its proof: a replay of all alerts, in which nothing suspicious may be silenced. Nothing is
    written: the report holds the diff, the runbook's line and the baseline's entry.

    Then `aegis triage verify RULE` watches that it worked.

    Ends with 0 if nothing is real, 1 if something is or may be, 3 if the source could not be read whole.
    """
    progress = progress_of(options)
    request = _request(options, rule, how)
    history, source = run_async(_read(options, how), options)
    if not source["complete"]:
        progress(f"{source['name']} could not be read whole: {'; '.join(source['notes'])}")
    if rule and source["complete"]:
        _check_rule(rule, history, request)
    found = _studied(history, request, progress)
    from aegis.interfaces.cli.triage_text import report_text
    from aegis.triage.report import report_fields

    result = document("TriageReport", source=source, **report_fields(found))
    emit(options, result, lambda: report_text(result))
    if found.is_escalated:
        return 1
    return 0 if source["complete"] else 3


def _studied(history: list[Alert], request: Request, progress: Any) -> Findings:
    from aegis.triage.study import study

    return study(history, request, progress)


def _request(options: Globals, rule: str, how: dict[str, Any]) -> Request:
    """What was asked for, and the files that it names: all read before the source is.

    Raises:
        UsageError: if one cannot be read or used.
    """
    from aegis.interfaces.cli.rules_input import rule_texts
    from aegis.triage.report import Asked
    from aegis.triage.study import Request
    from aegis.triage.values import Unchangeable, custom_rules
    from aegis.wiring.alerts import SOURCES

    if how["file"] and how["source"]:
        raise UsageError("a file and a --source are two sources", hint="Give one of them.")
    if how["source"] and how["source"] not in SOURCES:
        raise UsageError(f"{how['source']!r} is no source", hint=f"Sources are {', '.join(SOURCES)}; a file: --from.")
    files = rule_texts(how["rules"])
    values = (how["values"], _text(how["values"])) if how["values"] else None
    if values is not None:
        try:
            own = custom_rules(values[1])
        except Unchangeable as reason:
            raise UsageError(f"{values[0]} cannot be used: {reason}") from reason
        files += own if files else []
    _check(files)
    namespace = "" if options.all_namespaces else options.namespace
    return Request(
        asked=Asked(rule=rule, priority=_priority(rule, how), namespace=namespace),
        entries=_baseline(how["baseline"]),
        files=files,
        values=values,
        owner=how["owner"],
        expires=_expiry(how["expires"]),
        today=datetime.now(UTC).date(),
    )


def _check_rule(rule: str, history: list[Alert], request: Request) -> None:
    """A misspelt rule is silent for ever.

    Raises:
        UsageError: if neither an alert nor a rule has this name.
    """
    from difflib import get_close_matches

    from aegis.falco.rules import load
    from aegis.triage.knowledge import family_of

    told = {alert.rule for alert in history} - {""}
    known = told | {family_of(name) for name in told} | {one.rule.name for one in load(request.files).rules}
    if rule not in known:
        near = get_close_matches(rule, sorted(known), n=1)
        hint = (
            f"Did you mean {near[0]!r}?" if near else "`aegis alerts list` shows what there is; rule names are exact."
        )
        raise UsageError(f"no alert of {rule!r} is among the {len(history)} that were read", hint=hint)


def _check(files: list[tuple[str, str]]) -> None:
    from aegis.falco.rules import load

    for problem in load(files).errors:
        place = f"{problem.context.file}:{problem.context.line}:{problem.context.column}"
        raise UsageError(
            f"Falco would refuse the rules: {place}: {problem.message}", hint="`aegis rules lint` says more."
        )


def _baseline(name: str | None) -> tuple[Entry, ...]:
    from aegis.triage.baseline import read, shipped

    return (*(read(_text(name), name) if name else ()), *shipped())


def _priority(rule: str, how: dict[str, Any]) -> Priority | None:
    from aegis.falco.priority import Priority

    if not how["priority"]:
        return None if rule or how["file"] else Priority.CRITICAL
    found = Priority.parse(how["priority"])
    if found is None:
        known = ", ".join(one.name.lower() for one in Priority)
        raise UsageError(f"{how['priority']!r} is no priority", hint=f"Priorities are {known}.")
    return found


def _expiry(text: str) -> date:
    with suppress(ValueError, OverflowError):
        return (datetime.now(UTC) + timedelta(seconds=parse_duration(text))).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--expires {text!r} is no date", hint="Write 2027-01-31 or 30d.") from None


def _text(name: str) -> str:
    """A file of the team.

    Raises:
        UsageError: if it cannot be read.
    """
    try:
        with Path(name).open("rb") as file:
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise UsageError(f"{name} is longer than {_LONGEST >> 20} MiB")
        return data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no UTF-8") from error


async def _read(options: Globals, how: dict[str, Any]) -> tuple[list[Alert], JsonObject]:
    """Every alert of the window, whatever its rule and namespace: an attack shows in several."""
    from aegis.falco.identity import identity
    from aegis.falco.query import AlertQuery

    name = str(how["file"] or how["source"] or "store")
    now = datetime.now(UTC)
    since = moment("--since", how["since"] or _USUAL, now) if how["since"] or not how["file"] else None
    query = AlertQuery(since=since, until=now + timedelta(hours=1) if since else None)
    progress_of(options)(f"reading {name}{f' since {since:%Y-%m-%dT%H:%M:%SZ}' if since else ''}")
    batch = _of_file(name, query) if how["file"] else await _of_source(options, name, query)
    alerts = {identity(alert): alert for alert in reversed(batch.alerts)}  # a log may hold one twice
    doubts = {
        "Falco says that it lost events in this time": any(alert.tells_of_loss for alert in batch.alerts),
        "it told no alert at all: nothing happened, or nothing was covered": not batch.alerts,
    }
    notes = [*batch.notes, *(text for text, holds in doubts.items() if holds)]
    return list(alerts.values())[::-1], {
        "name": name,
        "since": since.isoformat() if since else None,
        "alerts": len(alerts),
        "duplicates": len(batch.alerts) - len(alerts),
        "complete": not notes,
        "notes": notes,
    }


async def _of_source(options: Globals, name: str, query: AlertQuery) -> AlertBatch:
    from aegis.wiring.alerts import alert_source

    async with alert_source(settings_of(options), name, as_user=options.as_user) as source:
        return await source.read(query, _MOST)


def _of_file(name: str, query: AlertQuery) -> AlertBatch:
    """The newest alerts of a log. An alert that was cut, or is broken, is missed, and may be the one that counts."""
    from collections import deque

    from aegis.falco.alert import looks_like_json, parse_alert
    from aegis.interfaces.cli.rules_input import lines
    from aegis.ports import AlertBatch

    kept: deque[Alert] = deque(maxlen=_MOST)
    count = broken = 0
    for line in lines(name):
        alert = parse_alert(line)
        if alert is None:
            broken += looks_like_json(line.decode("utf-8", "replace")) and (
                b'"rule"' in line or not line.rstrip().endswith(b"}")
            )
        elif query.matches(alert):
            kept.append(alert)
            count += 1
    notes = {
        f"{broken} lines are alerts that were cut or are broken": broken > 0,
        f"only the newest {_MOST} of {count} alerts were looked at": count > _MOST,
    }
    return AlertBatch(alerts=tuple(kept), notes=tuple(text for text, holds in notes.items() if holds))
