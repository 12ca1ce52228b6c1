"""`aegis scan manifest|image|source|url|runtime`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from aegis.errors import NotFound, PermissionDenied, Unavailable, UsageError
from aegis.interfaces.cli.options import Globals, completing, group, moment
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit, write
from aegis.interfaces.cli.session import namespace_of, opened, progress_of, run_async, settings_of
from aegis.model.refs import ObjectRef

if TYPE_CHECKING:
    from aegis.interfaces.cli.scan_run import Asked
    from aegis.security.reports.scan import Scan
    from aegis.wiring import System

_OUTPUTS = ("table", "json", "yaml", "sarif", "junit", "gitlab")
_SEVERITIES = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")


@group(
    "scan",
    outputs=_OUTPUTS,
    examples="""\
aegis scan manifest deploy/ service.yaml          the objects that would be applied
kubectl get deploy web -o yaml | aegis scan manifest -
aegis scan image shop/web:1.3 --baseline shop/web:1.2   what does the new image fix, and bring in?
aegis scan source .                               manifests, Dockerfiles, a root file system
aegis scan url http://127.0.0.1:8080              a running HTTP service
aegis scan runtime -n shop --since 1h             what Falco saw
aegis scan manifest deploy/ -o sarif --output-file aegis.sarif
""",
)
def command() -> None:
    """Look at manifests, an image, a folder, a running service or what pods did, with every scanner that can.

    Pod Security is built in; semgrep, trivy, kubesec, ZAP (by Docker) and Falco are used where they are. A scanner that
    is not there is a gap, which the report names: "passed with gaps" is not "passed". `aegis doctor` says what is here.

    Ends with 0 where no finding reaches --fail-on, 1 where one does, 2 for input that cannot be read in one way only,
    3 where a scanner failed or did not cover everything, 69 where no scanner that looks at such things is here (or one
    of --scanner is not).
    """


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every scan takes."""
    for option in (
        click.option(
            "--scanner",
            "scanners",
            multiple=True,
            metavar="NAME",
            shell_complete=completing("scanners"),
            help="Only this scanner; it must be there.",
        ),
        click.option(
            "--waivers",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Findings that somebody answers for: each with id, owner, reason, expiry. Or an OpenVEX document.",
        ),
        click.option(
            "--fail-on",
            type=click.Choice(_SEVERITIES, case_sensitive=False),
            help="The lowest severity that ends with 1 (default: security.fail_on, HIGH). Unknown ones always do.",
        ),
    ):
        function = option(function)
    return function


def _baseline(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--baseline",
        metavar=what,
        help="What it replaces: then only findings that are new, or worse, end with 1; what is fixed is told.",
    )


@make(
    "manifest",
    outputs=_OUTPUTS,
    examples="""\
aegis scan manifest deployment.yaml
aegis scan manifest deploy/ --fail-on CRITICAL --scanner podsecurity
helm template shop | aegis scan manifest - -o junit
aegis scan manifest new.yaml --baseline old.yaml
""",
    parent=command,
)
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path())
@click.option("-f", "--filename", "named", multiple=True, metavar="FILE|-", type=click.Path(), help="As FILE.")
@_baseline("FILE")
@_options
@click.pass_obj
def manifest(
    options: Globals, /, files: tuple[str, ...], *, named: tuple[str, ...], baseline: str | None, **how: Any
) -> int:
    """Look at the objects of manifests.

    FILE is a file, a folder (of which every *.yaml, *.yml and *.json is read), or - for stdin. The objects are rewritten before any tool sees them: Lists opened, aliases and comments gone, annotations by which scanners
    are told to look away not obeyed. A key that stands twice is refused, with its line.
    """
    from aegis.interfaces.cli.scan_input import manifests
    from aegis.interfaces.cli.scan_run import Asked
    from aegis.model.scan import Manifests
    from aegis.security.reports.scan import Family

    names = (*files, *named)
    written, older = manifests(names), manifests([baseline]) if baseline else None
    asked = Asked(
        family=Family.MANIFEST,
        names=names,
        subjects=(Manifests(objects=written.plain),),
        before=(Manifests(objects=older.plain),) if older else (),
        baseline=baseline or "",
        written=written,
        written_before=older,
    )
    return _done(options, asked, how)


@make(
    "image",
    outputs=_OUTPUTS,
    examples="""\
aegis scan image registry.example/shop/web@sha256:…
aegis scan image shop/web:1.3 --baseline shop/web:1.2
docker save shop/web:1.3 -o web.tar && aegis scan image ./web.tar
""",
    parent=command,
)
@click.argument("reference", metavar="REF")
@_baseline("REF")
@click.option("--platform", default="", help="As linux/amd64; default: the tool's own.")
@_options
@click.pass_obj
def image(options: Globals, /, reference: str, *, baseline: str | None, platform: str, **how: Any) -> int:
    """Look for vulnerabilities in an image.

    REF is a reference as a pod names it, or a saved image (a .tar file).
    Both sides of a comparison are looked at by one program with one database.
    """
    from aegis.interfaces.cli.scan_run import Asked
    from aegis.security.reports.scan import Family

    asked = Asked(
        family=Family.IMAGE,
        names=(reference,),
        subjects=(_image(reference, platform),),
        before=(_image(baseline, platform),) if baseline else (),
        baseline=baseline or "",
    )
    return _done(options, asked, how)


@make("source", outputs=_OUTPUTS, examples="aegis scan source .\naegis scan source rootfs/ -o sarif", parent=command)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@_options
@click.pass_obj
def source(options: Globals, /, path: Path, **how: Any) -> int:
    """Look at a folder of sources.

    Its manifests are looked at as `aegis scan manifest` does, its Dockerfiles, and packages that are installed or locked
    in it. A template that is not rendered is no manifest yet: that is a gap, and it is named.
    """
    from aegis.interfaces.cli.scan_input import manifests_within
    from aegis.interfaces.cli.scan_run import Asked
    from aegis.model.scan import Manifests, Source, Subject
    from aegis.security.reports.scan import Family

    written, unread = manifests_within(path)
    subjects: tuple[Subject, ...] = (Source(path=path.resolve()),)
    if written.objects:
        subjects = (Manifests(objects=written.plain), *subjects)
    asked = Asked(family=Family.SOURCE, names=(str(path),), subjects=subjects, written=written, unread=unread)
    return _done(options, asked, how)


@make("url", outputs=_OUTPUTS, examples="aegis scan url http://127.0.0.1:8080 --timeout 10m", parent=command)
@click.argument("url")
@_options
@click.pass_obj
def url(options: Globals, /, url: str, **how: Any) -> int:
    """Look at a running HTTP service.

    It is visited, page by page, as anybody could; nothing is attacked.
    """
    from aegis.interfaces.cli.scan_run import Asked
    from aegis.model.scan import Url
    from aegis.security.reports.scan import Family

    _check_url(url)
    return _done(options, Asked(family=Family.URL, names=(url,), subjects=(Url(url=url),)), how)


@make(
    "runtime",
    outputs=_OUTPUTS,
    examples="aegis scan runtime -n shop --since 1h\naegis scan runtime -n shop --since 2026-03-01T12:00:00Z -o json",
    parent=command,
)
@click.option("--since", required=True, metavar="T", help="From when on: 30m, 1h, or a time as 2026-03-01T12:00:00Z.")
@_options
@click.pass_obj
def runtime(options: Globals, /, since: str, **how: Any) -> int:
    """Read what Falco saw of a namespace.

    All of its pods' alerts from a time until now, by the events' own time. Nothing is called clean on a node that Falco
    did not watch all the while.
    """
    return run_async(_runtime(options, since, how), options)


# ── from what was asked to the answer ────────────────────────────────────────────────────────────────────────────────


async def _runtime(options: Globals, since: str, how: dict[str, Any]) -> int:
    from aegis.interfaces.cli.scan_run import Asked, run_scan
    from aegis.model.scan import Runtime
    from aegis.security.desk import Desk
    from aegis.security.reports.scan import Family
    from aegis.wiring.scanning import scan_rules

    now = datetime.now(UTC)
    begin = moment("--since", since, now).astimezone(UTC)
    if begin > now:
        raise UsageError(f"--since {since!r} is still to come", hint="Write 30m, 24h, 7d, or 2026-03-01T12:00:00Z.")
    async with opened(options, only_read=True) as system:
        namespace = namespace_of(options, system)
        await _require_namespace(system, namespace)
        await _require_logs(system)
        subject = Runtime(namespace=namespace, since=begin, until=now)
        asked = _with(Asked(family=Family.RUNTIME, names=(namespace,), subjects=(subject,)), how)
        desk = Desk(rules=scan_rules(system.settings), reader=system.reader)
        return _told(options, await run_scan(asked, desk, system.settings, progress_of(options)))


async def _require_namespace(system: System, name: str) -> None:
    """It is there, as far as one may know.

    Raises:
        NotFound: if it is not.
    """
    with suppress(PermissionDenied):
        if await system.reader.find(ObjectRef(api_version="v1", kind="Namespace", name=name)) is None:
            raise NotFound(f"there is no namespace {name}", hint="kubectl get namespaces lists them.")


async def _require_logs(system: System) -> None:
    """Falco's words may be read.

    Raises:
        PermissionDenied: if its pods may not be found, or their logs not be read.
    """
    from aegis.evidence.falco import find_falco
    from aegis.ports import Access
    from aegis.wiring import falco_rules

    found = await find_falco(system.reader, falco_rules(system.settings).place)
    for namespace in sorted({one.namespace for one in found.sentries}):
        if not await system.reader.allowed(Access(verb="get", resource="pods/log", namespace=namespace)):
            raise PermissionDenied(
                f"not permitted: get pods/log in {namespace}",
                hint="Ask for a role there: Falco's alerts are in its logs.",
            )


def _done(options: Globals, asked: Asked, how: dict[str, Any]) -> int:
    from aegis.interfaces.cli.scan_run import run_scan
    from aegis.wiring.places import places_of
    from aegis.wiring.scanning import scan_desk

    loaded = settings_of(options)
    try:
        places = places_of(loaded)
    except Unavailable:  # a machine without a home: nothing is kept, and looked up anew
        places = None
    desk = scan_desk(loaded, places)
    meant = _with(asked, how)
    if loaded.origins["security.required"] != "default":
        meant = replace(meant, required=loaded.settings.security.required)
    work = run_scan(meant, desk, loaded.settings, progress_of(options))
    return _told(options, run_async(work, options))


def _with(asked: Asked, how: dict[str, Any]) -> Asked:
    from aegis.model.security import Severity

    fail_on = Severity[how["fail_on"].upper()] if how["fail_on"] else None
    return replace(asked, scanners=tuple(how["scanners"]), waivers=how["waivers"], fail_on=fail_on)


def _told(options: Globals, scan: Scan) -> int:
    """Print the report in the form that was asked for."""
    from aegis.interfaces.cli.scan_text import scan_text
    from aegis.security.reports.document import fields
    from aegis.security.reports.gitlab import gitlab
    from aegis.security.reports.junit import junit
    from aegis.security.reports.sarif import sarif
    from aegis.security.reports.scan import Verdict
    from aegis.security.reports.text import line

    match options.output:
        case "junit":
            write(options, junit(scan))
        case "sarif" | "gitlab":
            made = sarif(scan) if options.output == "sarif" else gitlab(scan)
            write(options, json.dumps(made, indent=2, ensure_ascii=False))
        case _:
            emit(options, document("ScanReport", **fields(scan)), lambda: scan_text(scan))
    if scan.verdict in {Verdict.INCONCLUSIVE, Verdict.UNAVAILABLE}:
        why = "; ".join(scan.gaps) or "nobody looked"
        click.echo(f"aegis: no answer: {line(why, 1000)}", err=True)
    return scan.verdict.exit_status


def _image(reference: str, platform: str) -> Any:
    """A saved image where the reference names a file, else one that is pulled.

    Raises:
        UsageError: if it is neither.
    """
    from aegis.model.scan import Image

    path = Path(reference)
    archive = path.resolve() if path.suffix in {".tar", ".tgz"} or reference.startswith(("./", "/", "../")) else None
    if archive is not None and not archive.is_file():
        raise UsageError(f"there is no file {reference}", hint="Name an image, or a file that `docker save` wrote.")
    odd = not reference or reference.startswith("-") or any(c.isspace() or not c.isprintable() for c in reference)
    if archive is None and odd:
        raise UsageError(f"{reference!r} names no image")
    return Image(reference=reference, archive=archive, platform=platform)


def _check_url(text: str) -> None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or any(char.isspace() or not char.isprintable() for char in text):
        raise UsageError(f"{text!r} is no URL of an HTTP service", hint="Write http://HOST:PORT/ or https://….")
