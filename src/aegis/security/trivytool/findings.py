"""What trivy found, in the one shape of all scanners. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from aegis.model.refs import Json, ObjectRef
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.trivytool.placed import Placed
from aegis.security.trivytool.report import Report, Section, System, text
from aegis.security.trivytool.seal import Seal

NAME = "trivy"
END_OF_LIFE = "os-end-of-life"
"""The rule of a finding that the operating system gets no mendings any more: what is wrong with it is no longer told."""

_RULE = re.compile(r"(?:AVD-)?([A-Z]{2,12})-?(\d{1,4})")
_STARS = re.compile(r"\*+")
"""How trivy shows a secret: a star for each byte."""
_INSTALLED = frozenset({"python-pkg", "node-pkg", "gemspec", "jar", "conda-pkg"})
_TITLE, _DESCRIBED = 300, 2000


def vulnerabilities(report: Report, subject: ObjectRef) -> list[SecurityFinding]:
    """Every vulnerability of every package, those included that trivy was told to suppress: waiving is done elsewhere."""
    found = [
        _vulnerability(entry, subject, _lock(section))
        for section in report.of("os-pkgs", "lang-pkgs")
        for entry in (*section.vulnerabilities, *_suppressed(section, "vulnerability"))
    ]
    if report.system and report.system.ended:
        found.append(_end_of_life(report.system, subject))
    return found


def misconfigurations(section: Section, placed: Placed) -> list[SecurityFinding]:
    """Every failed check of one object's canonical file."""
    found: list[SecurityFinding] = []
    for entry in (*section.misconfigurations, *_suppressed(section, "misconfiguration")):
        first, last = _lines(entry)
        finding = _misconfiguration(entry, placed.subject, Category.CONFIG)
        found.append(replace(finding, location=placed.location(first, last), file=section.target, line=first))
    return found


def of_files(report: Report, subject: ObjectRef, seal: Seal) -> list[SecurityFinding]:
    """Failed checks and secrets of files, each with its file and line."""
    found: list[SecurityFinding] = []
    for section in report.of("config", "secret"):
        for entry in (*section.misconfigurations, *_suppressed(section, "misconfiguration")):
            finding = _misconfiguration(entry, subject, Category.CODE)
            found.append(
                replace(finding, location=seal.of_text(_cause(entry)), file=section.target, line=_lines(entry)[0])
            )
        found += [
            _secret(entry, subject, section.target, seal)
            for entry in (*section.secrets, *_suppressed(section, "secret"))
        ]
    return found


def suppressed(report: Report) -> list[dict[str, str]]:
    """What trivy would have hidden, and on whose word."""
    return [
        {
            "id": _id(item),
            "status": text(item, "Status"),
            "source": text(item, "Source"),
            "why": text(item, "Statement"),
        }
        for section in report.sections
        for item in section.suppressed
    ]


def rule_id(name: str) -> str:
    """One spelling of a check's id: `KSV001`, `KSV-0001` and `AVD-KSV-0001` are the same."""
    match = _RULE.fullmatch(name.strip().upper())
    return f"{match[1]}-{int(match[2]):04d}" if match else name


def spellings(name: str) -> tuple[str, ...]:
    """The other spellings of a check's id, so that a waiver may use any."""
    one = rule_id(name)
    match = _RULE.fullmatch(one)
    return (f"AVD-{one}", f"{match[1]}{int(match[2]):03d}") if match else ()


# ── one of each ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _lock(section: Section) -> str:
    """The file that names the packages of a section; empty where it sums up what is installed (`Python`, `Node.js`)."""
    return section.target if section.kind == "lang-pkgs" and section.type not in _INSTALLED else ""


def _vulnerability(entry: Json, subject: ObjectRef, file: str) -> SecurityFinding:
    identifier = entry.get("PkgIdentifier")
    name, package = text(entry, "VulnerabilityID"), text(entry, "PkgName")
    installed, fixed = text(entry, "InstalledVersion"), text(entry, "FixedVersion")
    vendors = entry.get("VendorIDs")
    title = text(entry, "Title") or text(entry, "Description").partition("\n")[0][:120]
    return SecurityFinding(
        source=NAME,
        category=Category.VULNERABILITY,
        rule_id=name,
        aliases=tuple(sorted({str(item) for item in vendors} - {name})) if isinstance(vendors, list) else (),
        severity=Severity.of(entry.get("Severity")),
        title=(title or name)[:_TITLE],
        description=" ".join(filter(None, (text(entry, "Description")[:_DESCRIBED], _remedy(entry, fixed)))),
        subject=subject,
        reference=text(entry, "PrimaryURL"),
        package=package,
        installed_version=installed,
        fixed_version=fixed,
        purl=text(identifier, "PURL") if isinstance(identifier, dict) else "",
        file=text(entry, "PkgPath") or file,
    )


def _remedy(entry: Json, fixed: str) -> str:
    if fixed:
        return f"Mended in {fixed}."
    status = text(entry, "Status").replace("_", " ")
    return f"Nobody has mended it yet ({status})." if status else "Nobody has mended it yet."


def _misconfiguration(entry: Json, subject: ObjectRef, category: Category) -> SecurityFinding:
    name = text(entry, "ID") or text(entry, "AVDID")
    words = (text(entry, "Message"), text(entry, "Description"), text(entry, "Resolution"))
    return SecurityFinding(
        source=NAME,
        category=category,
        rule_id=rule_id(name),
        aliases=spellings(name),
        severity=Severity.of(entry.get("Severity")),
        title=(text(entry, "Title") or text(entry, "Message") or name)[:_TITLE],
        description=" ".join(word if word.endswith(".") else f"{word}." for word in words if word)[:_DESCRIBED],
        subject=subject,
        reference=text(entry, "PrimaryURL"),
    )


def _secret(entry: Json, subject: ObjectRef, file: str, seal: Seal) -> SecurityFinding:
    line, offset = entry.get("StartLine"), entry.get("Offset")
    stars = max(_STARS.findall(text(entry, "Match")), key=len, default="")
    return SecurityFinding(
        source=NAME,
        category=Category.SECRET,
        rule_id=text(entry, "RuleID"),
        severity=Severity.of(entry.get("Severity")),
        title=f"{text(entry, 'Title') or text(entry, 'RuleID')} in {file}",
        description="A secret lies in a file. Take it out, and hold it to be known: renew it.",
        subject=subject,
        location=seal.of_file(file, offset, len(stars)) if isinstance(offset, int) else "",
        file=file,
        line=line if isinstance(line, int) else 0,
    )


def _end_of_life(system: System, subject: ObjectRef) -> SecurityFinding:
    return SecurityFinding(
        source=NAME,
        category=Category.VULNERABILITY,
        rule_id=END_OF_LIFE,
        severity=Severity.HIGH,
        title=f"{system} gets no security updates any more",
        description="Its faults are neither mended nor told of, so fewer are found than there are. Move to a newer release.",
        subject=subject,
        package=f"{system.family} (operating system)",
        installed_version=system.release,
    )


def _suppressed(section: Section, kind: str) -> Iterator[Json]:
    for item in section.suppressed:
        finding = item.get("Finding")
        if text(item, "Type") == kind and isinstance(finding, dict):
            yield finding


def _id(item: Json) -> str:
    finding = item.get("Finding")
    if not isinstance(finding, dict):
        return ""
    return text(finding, "VulnerabilityID") or text(finding, "ID") or text(finding, "RuleID")


def _cause(entry: Json) -> str:
    """The first line of code that is at fault: it stays when lines move, and may hold a secret."""
    cause = entry.get("CauseMetadata")
    code = cause.get("Code") if isinstance(cause, dict) else None
    lines = code.get("Lines") if isinstance(code, dict) else None
    shown = (text(line, "Content").strip() for line in lines or () if isinstance(line, dict) and line.get("IsCause"))
    return next(shown, "")


def _lines(entry: Json) -> tuple[int, int]:
    cause = entry.get("CauseMetadata")
    first, last = (cause.get("StartLine"), cause.get("EndLine")) if isinstance(cause, dict) else (0, 0)
    start = first if isinstance(first, int) else 0
    return start, last if isinstance(last, int) else start
