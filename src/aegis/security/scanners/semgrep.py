"""Semgrep with rules of our own for manifests, Dockerfiles and shell commands. It never asks the network anything.

Every run also reads three files in which there is something to find: a Semgrep that does not find it has not looked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import yaml

from aegis.drivers.process import Finished, run
from aegis.errors import TimedOut, Unavailable
from aegis.model.refs import ObjectRef
from aegis.model.scan import Coverage, Manifests, ScanResult, ScanStatus, Source, Subject, Tool
from aegis.model.security import SecurityFinding
from aegis.security.desk import Desk
from aegis.security.manifest_tools.material import Material, Sheet, of_objects, of_tree
from aegis.security.manifest_tools.semgrep_answer import NAME, Report, RuleCard, cards, findings, read_report
from aegis.security.manifest_tools.source_tree import read_tree
from aegis.security.manifest_tools.words import Failed, Unreadable, home_of, listed, shown
from aegis.security.strict_yaml import NotCanonical

_INSTALL: Final = "Install Semgrep (pip install 'kube-aegis[scanners]'), or name its program in security.semgrep_path."
_RULE_SECONDS: Final = 10
_MEMORY_MIB: Final = 2048
_FLAGS: Final = (
    "--metrics=off",
    "--disable-version-check",
    "--no-git-ignore",
    "--no-rewrite-rule-ids",
    "--disable-nosem",
    "--max-target-bytes=0",
    f"--timeout={_RULE_SECONDS}",
    f"--max-memory={_MEMORY_MIB}",
    "--jobs=1",
    "--json",
    "--quiet",
)
_CANARY: Final = "aegis-canary"
_CANARIES: Final = tuple(
    Sheet(name=f"00000-canary{suffix}", text=text, subject=ObjectRef(api_version="", kind="", name=""), part="")
    for suffix, text in (
        (".yaml", f"kind: Canary\nspec:\n  sings: {_CANARY}\n"),
        (".yaml.sh", f"sing {_CANARY}\n"),
        (".dockerfile", f"LABEL sings={_CANARY}\n"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    text: str
    digest: str
    cards: Mapping[str, RuleCard]


class Semgrep:
    """Semgrep, with AEGIS's rules."""

    name = NAME

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int, int], str] = {}

    def accepts(self, subject: Subject) -> bool:
        """Manifests, and folders or files that hold manifests, Dockerfiles or scripts."""
        return isinstance(subject, Manifests | Source)

    async def probe(self, desk: Desk) -> Tool:
        """Its version, asked once for each program since that takes seconds, and the digest of the rules."""
        program = desk.program(NAME)
        if program is None:
            return Tool(name=NAME, absent=f"there is no program semgrep. {_INSTALL}")
        state = program.stat()
        key = (str(program), state.st_mtime_ns, state.st_size)
        if key not in self._versions:
            try:
                with home_of(NAME) as home:
                    said = await _run([str(program), "--version"], desk, home)
            except Failed:
                return Tool(name=NAME, digest=rules().digest)
            self._versions[key] = shown(said.stdout, 40)
        return Tool(name=NAME, version=self._versions[key], digest=rules().digest)

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Look at every object and file in one run; one that was not looked at makes the scan PARTIAL."""
        program = desk.program(NAME)
        result = ScanResult(scanner=NAME, status=ScanStatus.SKIPPED, tool=Tool(name=NAME, digest=rules().digest))
        if program is None:
            absent = f"there is no program semgrep. {_INSTALL}"
            return replace(result, tool=replace(result.tool, absent=absent), reason=absent)
        try:
            material = await asyncio.to_thread(_material, subject)
        except OSError as error:
            return replace(result, status=ScanStatus.ERROR, reason=f"it cannot be read: {error}")
        except NotCanonical as error:
            return replace(result, status=ScanStatus.ERROR, reason=error.message)
        result = replace(result, coverage=Coverage(expected=material.parts))
        if not material.sheets:
            return _nothing(result, material)
        try:
            with home_of(NAME) as home:
                argv = await asyncio.to_thread(_lay_out, program, material, home)
                said = await _run(argv, desk, home)
        except Failed as failed:
            return replace(result, status=failed.status, reason=failed.reason)
        return await asyncio.to_thread(_judged, result, said, material)


@cache
def rules() -> _Rules:
    """The rules that are part of this program, all in one."""
    folder = files("aegis.security").joinpath("rules", "semgrep")
    found = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    sets = [yaml.load(item.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) for item in found]
    text = yaml.safe_dump({"rules": [rule for one in sets for rule in one["rules"]]}, sort_keys=False, width=1000)
    known = {card.id: card for one in sets for card in cards(one)}
    return _Rules(text=text, digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", cards=known)


def _material(subject: Subject) -> Material:
    if isinstance(subject, Manifests):
        return of_objects(subject.objects)
    assert isinstance(subject, Source)  # noqa: S101 - `accepts` says so
    return of_tree(read_tree(subject.path))


def _nothing(result: ScanResult, material: Material) -> ScanResult:
    if material.troubles:
        return replace(result, status=ScanStatus.PARTIAL, reason=listed(material.troubles))
    note = "there is no manifest, Dockerfile or shell script"
    return replace(result, status=ScanStatus.CLEAN, coverage=Coverage(notes=(note,)))


# ── running it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _lay_out(program: Path, material: Material, home: Path) -> list[str]:
    """Write the rules and the sheets; the command that looks at them, each named."""
    rule_file, room = home / "rules.yaml", home / "sheets"
    rule_file.write_text(rules().text, encoding="utf-8")
    room.mkdir()
    sheets = (*_CANARIES, *material.sheets)
    for sheet in sheets:
        (room / sheet.name).write_text(sheet.text, encoding="utf-8", errors="replace")
    return [str(program), "scan", f"--config={rule_file}", *_FLAGS, *(f"sheets/{sheet.name}" for sheet in sheets)]


async def _run(argv: list[str], desk: Desk, home: Path) -> Finished:
    """Run it with a home of its own, and told by every means that there is to leave the network alone.

    Raises:
        Failed: if it cannot be run, its time is up, or it writes too much.
    """
    env = {
        "PATH": f"{Path(argv[0]).parent}:{desk.path}",
        "HOME": str(home),
        "TMPDIR": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
        "SEMGREP_SETTINGS_FILE": str(home / "settings.yml"),
        "SEMGREP_LOG_FILE": str(home / "semgrep.log"),
        "OTEL_SDK_DISABLED": "true",
    }
    seconds = desk.rules.seconds(NAME)
    try:
        done = await run(argv, timeout=seconds, env=env, cwd=home)
    except TimedOut as error:
        raise Failed(ScanStatus.TIMEOUT, f"Semgrep did not end within {seconds:g} s") from error
    except Unavailable as error:
        raise Failed(ScanStatus.ERROR, error.message) from error
    if done.truncated:
        raise Failed(ScanStatus.ERROR, "Semgrep wrote more than a report can hold: it was cut off")
    return done


# ── what follows from its answer ─────────────────────────────────────────────────────────────────────────────────────


def _judged(result: ScanResult, said: Finished, material: Material) -> ScanResult:
    digest = f"sha256:{hashlib.sha256(said.stdout).hexdigest()}"
    result = replace(result, seconds=said.seconds, raw_digest=digest)
    try:
        report = read_report(said.stdout)
        found = _found(report, material)
    except Unreadable as error:
        last = f"status {said.status}: {shown(said.stderr)}".rstrip(" :")
        reason = f"Semgrep gave no report: {error} (it ended with {last})"
        return replace(result, status=ScanStatus.ERROR, reason=reason)
    result = replace(result, tool=replace(result.tool, version=report.version))
    if "" in report.troubles:
        return replace(result, status=ScanStatus.ERROR, reason=f"Semgrep had trouble: {report.troubles['']}")
    unseen = [sheet for sheet in material.sheets if _path(sheet) not in report.scanned]
    blind = {sheet.part for sheet in unseen}
    read = {sheet.part for sheet in material.sheets} - blind
    words = [f"{sheet.part}: {report.troubles.get(_path(sheet), 'it was not looked at')}" for sheet in unseen]
    reason = listed((*material.troubles, *words))
    return replace(
        result,
        status=_status(found, partial=bool(reason)),
        findings=found,
        reason=reason,
        coverage=replace(result.coverage, scanned=tuple(part for part in material.parts if part in read)),
        details={"rules": len(rules().cards), "files": len(material.sheets)},
    )


def _found(report: Report, material: Material) -> tuple[SecurityFinding, ...]:
    """All findings but those that were put there.

    Raises:
        Unreadable: if what was put there was not found, or something where there is nothing.
    """
    sung = {match.path for match in report.matches if match.rule.startswith(_CANARY)}
    silent = [sheet.name for sheet in _CANARIES if _path(sheet) not in sung and "" not in report.troubles]
    if silent:
        raise Unreadable(f"it did not find what was put into {', '.join(silent)} to be found")
    matches = [match for match in report.matches if not match.rule.startswith(_CANARY)]
    sheets = {_path(sheet): sheet for sheet in material.sheets}
    return tuple(findings(matches, sheets, rules().cards))


def _path(sheet: Sheet) -> str:
    return f"sheets/{sheet.name}"


def _status(found: tuple[SecurityFinding, ...], *, partial: bool) -> ScanStatus:
    if partial:
        return ScanStatus.PARTIAL
    return ScanStatus.FINDINGS if found else ScanStatus.CLEAN


PLUGIN = Semgrep()
