"""`aegis triage verify RULE`: whether a mend worked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.alerts import unbuffered_stdin
from aegis.interfaces.cli.options import Duration, Globals, moment
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit
from aegis.interfaces.cli.session import namespace_of, opened, progress_of, run_async, settings_of

if TYPE_CHECKING:
    from aegis.model.refs import JsonObject, ObjectRef
    from aegis.triage.verify import Rerun, Verification, Watch
    from aegis.wiring import System

_USUAL = "5m"
_BEFORE = timedelta(days=1)
_SETTLE = 20.0
_PATIENCE = 300.0
_SHARE = 0.8
"""Of the time, for the Job; the rest is for its alerts."""
_STATUS = {"silent": 0, "firing": 1, "inconclusive": 3}


@make(
    "verify",
    examples="""
aegis triage verify "Drop and execute new binary in container" -n headscale --retrigger cronjob/headscale-backup
aegis triage verify "Terminal shell in container" -n shop --workload web --source victorialogs --since 1h
""",
)
@click.argument("rule")
@click.option(
    "--retrigger", metavar="cronjob/NAME", help="Start a Job from this CronJob first; it is removed afterwards."
)
@click.option(
    "--workload", default="", metavar="NAME", help="Whose alerts (default: the CronJob's; else the namespace's)."
)
@click.option(
    "--source",
    default="",
    metavar="SOURCE",
    help="falco (default with --retrigger), store (default), victorialogs, loki.",
)
@click.option("--from", "file", metavar="FILE", help="A log of Falco instead of a source; `-`: stdin.")
@click.option("--since", metavar="TIME", help=f"From when on (default {_USUAL}; with --retrigger: the Job's start).")
@click.option(
    "--settle", type=Duration(), default=_SETTLE, metavar="TIME", help="How long an alert may take to arrive (20s)."
)
@click.pass_obj
def command(options: Globals, /, rule: str, **how: Any) -> int:
    """Say whether a rule is silent for a workload now, and whether it still fires elsewhere.

    With --retrigger the activity is started once more: a Job that is exactly what the CronJob starts, made through the
    same door as every write (mode, protected namespaces, freeze windows, audit), and removed in any case. Without it,
    silence says nothing of whether the activity took place.

    Ends with 0 if the rule is silent, 1 if it fires, 3 if it cannot be told: the source was not read whole, told
    nothing at all, told of no such rule within a day, or the Job did not complete.
    """
    watch, found, since = run_async(_verify(options, rule, how), options)
    result = document("TriageVerification", **_fields(watch, found, since))
    emit(options, result, lambda: _text(result))
    return _STATUS[found.outcome]


async def _verify(options: Globals, rule: str, how: dict[str, Any]) -> tuple[Watch, Verification, datetime]:
    from aegis.triage.verify import Watch, rerun

    if how["file"] and how["source"]:
        raise UsageError("a file and a --source are two sources", hint="Give one of them.")
    now = datetime.now(UTC)
    if not how["retrigger"]:
        if not options.namespace:
            raise UsageError("whose alerts is not said", hint="Name the namespace by -n.")
        since = moment("--since", how["since"] or _USUAL, now)
        known = await _is_known(options, how, rule, now)
        watch = Watch(rule=rule, namespace=options.namespace, workload=how["workload"], is_known=known)
        return watch, await _watched(options, how, watch, since), since
    async with opened(options) as system:
        ref = _cronjob(how["retrigger"], namespace_of(options, system))
        progress, patience = progress_of(options), options.timeout or _PATIENCE
        async with rerun(system.reader, system.actuator, ref, patience=patience * _SHARE, progress=progress) as job:
            since = moment("--since", how["since"], now) if how["since"] else job.began
            workload = how["workload"] or ref.name
            watch = Watch(
                rule=rule,
                namespace=ref.namespace,
                workload=workload,
                job=job.name,
                is_known=await _is_known(options, how, rule, now),
            )
            trouble, is_covered = await _seen_by_falco(system, how, job)
            found = await _watched(options, how, watch, since, trouble=trouble, is_covered=is_covered)
            return watch, found, since


async def _seen_by_falco(system: System, how: dict[str, Any], job: Rerun) -> tuple[str, bool]:
    """What may have kept Falco from seeing the activity, and whether it is known that nothing did."""
    from aegis.evidence.falco import FalcoPlace
    from aegis.triage.verify import lapses

    if job.result != "complete":
        return f"the Job {job.name} is {job.result}", False
    if _source(how) != "falco":
        return "", False  # what a log service was sent is not known
    security = system.settings.security
    place = FalcoPlace(namespace=security.falco_namespace, labels=security.falco_label_selector)
    found = await lapses(system.reader, place, job)
    return "; ".join(found), not found


async def _is_known(options: Globals, how: dict[str, Any], rule: str, now: datetime) -> bool:
    """Whether the source told of a rule within the last day, of anybody; a stream cannot be asked twice."""
    from aegis.falco.query import AlertQuery
    from aegis.wiring.alerts import alert_source

    name = _source(how)
    if name == "-":
        return False
    since = None if how["file"] else now - _BEFORE
    async with alert_source(settings_of(options), name, as_user=options.as_user) as source:
        batch = await source.read(AlertQuery(rule=rule, since=since), 1)
    return bool(batch.alerts)


async def _watched(
    options: Globals, how: dict[str, Any], watch: Watch, since: datetime, *, trouble: str = "", is_covered: bool = False
) -> Verification:
    from aegis.triage.verify import watched
    from aegis.wiring.alerts import alert_source

    name = _source(how)
    settle = how["settle"] if how["retrigger"] else 0.0
    progress_of(options)(f"watching {name} since {since:%Y-%m-%dT%H:%M:%SZ}")
    stdin = unbuffered_stdin() if name == "-" else None
    async with alert_source(settings_of(options), name, as_user=options.as_user, stdin=stdin) as source:
        return await watched(source, watch, since, settle, trouble=trouble, is_covered=is_covered)


def _source(how: dict[str, Any]) -> str:
    return str(how["file"] or how["source"] or ("falco" if how["retrigger"] else "store"))


def _cronjob(text: str, namespace: str) -> ObjectRef:
    from aegis.model.refs import ObjectRef

    kind, slash, name = text.partition("/")
    if not slash or kind.lower() not in {"cronjob", "cronjobs", "cj", "cronjobs.batch"} or not name:
        raise UsageError(f"--retrigger {text!r} is no CronJob", hint="Write cronjob/NAME.")
    return ObjectRef(api_version="batch/v1", kind="CronJob", name=name, namespace=namespace)


def _fields(watch: Watch, found: Verification, since: datetime) -> JsonObject:
    from aegis.falco.identity import identity

    return {
        "rule": watch.rule,
        "namespace": watch.namespace,
        "workload": watch.workload or None,
        "job": watch.job or None,
        "since": since.isoformat(),
        "until": datetime.now(UTC).isoformat(),
        "outcome": found.outcome,
        "reason": found.reason,
        "fired_here": len(found.here),
        "fired_elsewhere": found.elsewhere,
        "alerts_seen": found.covered,
        "ids": [identity(alert) for alert in found.here],
    }


def _text(result: JsonObject) -> str:
    lines = [f"{result['outcome']}: {result['reason']}"]
    lines.append(f"{result['alerts_seen']} alerts were seen since {result['since']}")
    if result["outcome"] == "silent" and result["job"] is None:
        lines.append("Whether the activity took place in this time is not known; --retrigger starts it.")
    return "\n".join(lines)
