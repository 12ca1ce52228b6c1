"""What scanners find, in one shape, so that before and after compare."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from aegis.model.canonical import digest
from aegis.model.refs import JsonObject, ObjectRef


class Severity(IntEnum):
    """Ordered: a higher one is worse. UNKNOWN is never treated as harmless."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @classmethod
    def of(cls, word: object) -> Severity:
        """The severity that a tool's word names, in any case; UNKNOWN for any other."""
        if isinstance(word, cls):
            return word
        return _WORDS.get(str(word or "").strip().upper(), cls.UNKNOWN)


_WORDS = {
    **Severity.__members__,
    "ERROR": Severity.HIGH,
    "IMPORTANT": Severity.HIGH,
    "WARNING": Severity.MEDIUM,
    "MODERATE": Severity.MEDIUM,
    "INFO": Severity.LOW,
    "INFORMATIONAL": Severity.LOW,
    "NEGLIGIBLE": Severity.LOW,
}


class Category(StrEnum):
    """What kind of fault it is; it decides what makes two findings the same."""

    CONFIG = "config"
    VULNERABILITY = "vulnerability"
    WEB = "web"
    RUNTIME = "runtime"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    CODE = "code"


_NOWHERE = ObjectRef(api_version="", kind="", name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFinding:
    """One fault.

    Attributes:
        source: the scanner, as `podsecurity`.
        rule_id: the scanner's own id of the rule, or of the vulnerability (`CVE-…`, `GHSA-…`, a vendor's).
        severity: how bad.
        title: one line.
        description: what it means and what to do.
        subject: the object, with the container where it has one; for an image `Image/REFERENCE`, for a URL `Url/URL`.
        location: where within the subject, without what varies (indices, versions), as `containers[web].securityContext`;
            of a web page `METHOD /node?param`, without the host; of an alert the process; of a secret `secret_mark`.
        reference: a URL or a document to read.
        category: what kind of fault it is.
        aliases: other ids of the same vulnerability.
        package: the package at fault.
        installed_version: of the package.
        fixed_version: from which on it is mended; empty while nobody has mended it.
        purl: the package's URL, as the tool writes it.
        container: the container whose image is at fault, where a workload was looked at; else empty.
        file: relative path of the file at fault.
        line: first line in that file, from 1; 0 where it is not known.
    """

    source: str
    rule_id: str = ""
    severity: Severity
    title: str
    description: str
    subject: ObjectRef = _NOWHERE
    location: str = ""
    reference: str = ""
    category: Category = Category.CONFIG
    aliases: tuple[str, ...] = ()
    package: str = ""
    installed_version: str = ""
    fixed_version: str = ""
    purl: str = ""
    container: str = ""
    file: str = ""
    line: int = 0

    def __post_init__(self) -> None:
        """Scripts may name the severity by its word, and give no reference as None."""
        object.__setattr__(self, "severity", Severity.of(self.severity))
        object.__setattr__(self, "reference", self.reference or "")

    @property
    def ids(self) -> frozenset[str]:
        """All that the rule or vulnerability is called."""
        return frozenset({self.rule_id, *self.aliases} - {""}) or frozenset({""})

    @property
    def place(self) -> tuple[str, ...]:
        """What must be equal, beside one of the ids, for two findings to be the same fault.

        Namespaces, versions, line numbers, hosts and image tags are left out: a shadow or a mended copy has others.
        Measured on a real pair of images of which one fault was mended and three were left: an id with the package's
        whole URL gives two false new ones, without version and qualifiers none.
        """
        held = (self.container,) if self.container else ()
        return (self.source, *held, *_PLACES[self.category](self))

    @property
    def fingerprint(self) -> str:
        """Equal for the same fault before and after a change, where both name it by the same ids."""
        return digest([_first_id(self.ids), *self.place])

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "source": self.source,
            "rule_id": self.rule_id,
            "severity": self.severity.name,
            "title": self.title,
            "description": self.description,
            "subject": str(self.subject),
            "location": self.location,
            "fingerprint": self.fingerprint,
            "reference": self.reference,
            "category": self.category.value,
            "aliases": list(self.aliases),
            "package": self.package,
            "installed_version": self.installed_version,
            "fixed_version": self.fixed_version,
            "purl": self.purl,
            "container": self.container,
            "file": self.file,
            "line": self.line,
        }


# ── what makes two findings the same ─────────────────────────────────────────────────────────────────────────────────


def bare_purl(purl: str) -> str:
    """A package URL without version and qualifiers: `pkg:deb/debian/zlib1g@1.2?arch=amd64` is `pkg:deb/debian/zlib1g`.

    Source: the purl specification, `scheme:type/namespace/name@version?qualifiers#subpath`. The `@` of an npm scope
    that was not escaped begins a segment and is kept.
    """
    rest, _, subpath = purl.partition("#")
    path = rest.partition("?")[0]
    at = path.rfind("@")
    if at > path.rfind("/") + 1:
        path = path[:at]
    return f"{path}#{subpath}" if subpath else path


def without_host(url: str) -> str:
    """A URL without scheme and host: `http://web.shop:8080/a?b` is `/a?b`; what names no host stays as it is."""
    return _HOST.sub("/", url, count=1)


_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*/?")


def secret_mark(value: str, *, salt: str) -> str:
    """What stands for a secret in `location`: equal for equal secrets, and nothing of it can be read back.

    Args:
        value: the secret.
        salt: of this installation, so that nobody finds the secret of a report in a table of hashes.
    """
    return hashlib.blake2b(value.encode(), key=hashlib.sha256(salt.encode()).digest(), digest_size=16).hexdigest()


def _config(item: SecurityFinding) -> tuple[str, ...]:
    return (item.subject.api_version, item.subject.kind, item.subject.name, item.location)


def _vulnerability(item: SecurityFinding) -> tuple[str, ...]:
    return (bare_purl(item.purl) or item.package,)


def _web(item: SecurityFinding) -> tuple[str, ...]:
    return (without_host(item.location),)


def _runtime(item: SecurityFinding) -> tuple[str, ...]:
    return (item.subject.kind, item.subject.name, item.location)


def _in_file(item: SecurityFinding) -> tuple[str, ...]:
    return (item.file, item.location)


_PLACES = {
    Category.CONFIG: _config,
    Category.VULNERABILITY: _vulnerability,
    Category.WEB: _web,
    Category.RUNTIME: _runtime,
    Category.SECRET: _in_file,
    Category.CODE: _in_file,
}


def _first_id(ids: Iterable[str]) -> str:
    """The id that stands for all: a CVE before a GHSA before a vendor's."""
    return min(ids, key=lambda name: (not name.startswith("CVE-"), not name.startswith("GHSA-"), name))


def groups(findings: Iterable[SecurityFinding]) -> list[tuple[SecurityFinding, ...]]:
    """The findings by fault: two are one fault if they are in one place and share an id, perhaps through a third.

    In the order in which each fault is first met.
    """
    items = list(findings)
    leader = list(range(len(items)))

    def find(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    met: dict[tuple[tuple[str, ...], str], int] = {}
    for at, item in enumerate(items):
        place = item.place
        for name in item.ids:
            one, other = find(met.setdefault((place, name), at)), find(at)
            leader[max(one, other)] = min(one, other)
    gathered: dict[int, list[SecurityFinding]] = {}
    for at, item in enumerate(items):
        gathered.setdefault(find(at), []).append(item)
    return [tuple(group) for group in gathered.values()]


def distinct(findings: Iterable[SecurityFinding]) -> tuple[SecurityFinding, ...]:
    """One finding a fault: the worst of each."""
    return tuple(map(_worst, groups(findings)))


def _worst(group: Sequence[SecurityFinding]) -> SecurityFinding:
    return max(group, key=lambda item: item.severity)


# ── before and after ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fault that is there before and after."""

    before: SecurityFinding
    after: SecurityFinding

    @property
    def worse(self) -> bool:
        """Whether it became more severe; what was or is of unknown severity did not become anything."""
        known = Severity.UNKNOWN not in (self.before.severity, self.after.severity)
        return known and self.after.severity > self.before.severity

    @property
    def newly_fixable(self) -> bool:
        """Whether it can be mended now and could not before."""
        return bool(self.after.fixed_version) and not self.before.fixed_version


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerPart:
    """One scanner's part in a comparison: that it looked, with what and at what; or why it did not.

    Attributes:
        scanner: its name.
        outcome: `PASSED`, `FAILED`, `SKIPPED` or `ERRORED`.
        reason: one sentence; empty for PASSED.
        tool: its version, and of when its database is, in words.
        coverage: what it looked at, in words.
        suppressed: the findings that somebody answers for, each with who and until when, in words.
    """

    scanner: str
    outcome: str
    reason: str = ""
    tool: str = ""
    coverage: str = ""
    suppressed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityComparison:
    """Before against after: what the change mended, brought in, and left. Each fault counts once.

    Attributes:
        before: all findings.
        after: the same.
        scanners: what each scanner had to do with it.
    """

    before: tuple[SecurityFinding, ...]
    after: tuple[SecurityFinding, ...]
    scanners: tuple[ScannerPart, ...] = ()

    @property
    def fixed(self) -> tuple[SecurityFinding, ...]:
        """Faults that are gone."""
        return tuple(_worst(was) for was, now in self._sides() if not now)

    @property
    def new(self) -> tuple[SecurityFinding, ...]:
        """Faults that were not there."""
        return tuple(_worst(now) for was, now in self._sides() if not was)

    @property
    def same(self) -> tuple[SecurityFinding, ...]:
        """Faults that stay, as they are afterwards."""
        return tuple(change.after for change in self.changes)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Faults that stay, as they were and as they are."""
        return tuple(Change(before=_worst(was), after=_worst(now)) for was, now in self._sides() if was and now)

    @property
    def worse(self) -> tuple[SecurityFinding, ...]:
        """Of those that stay, the ones that became more severe."""
        return tuple(change.after for change in self.changes if change.worse)

    @property
    def newly_fixable(self) -> tuple[SecurityFinding, ...]:
        """Of those that stay, the ones for which there is a mended version only now."""
        return tuple(change.after for change in self.changes if change.newly_fixable)

    def to_dict(self) -> JsonObject:
        """Counts by severity before and after, the findings by what became of them, and beside these the scanners."""
        return {
            "before": count(distinct(self.before)),
            "after": count(distinct(self.after)),
            "fixed": [finding.to_dict() for finding in self.fixed],
            "new": [finding.to_dict() for finding in self.new],
            "same": [finding.to_dict() for finding in self.same],
            "scanners": [self._part(part) for part in self.scanners],
        }

    def _part(self, part: ScannerPart) -> JsonObject:
        sides = {"fixed": self.fixed, "new": self.new, "same": self.same}
        return {
            "scanner": part.scanner,
            "outcome": part.outcome,
            "reason": part.reason,
            "tool": part.tool,
            "coverage": part.coverage,
            **{name: sum(item.source == part.scanner for item in items) for name, items in sides.items()},
            "suppressed": list(part.suppressed),
        }

    def _sides(self) -> Iterator[tuple[list[SecurityFinding], list[SecurityFinding]]]:
        earlier = {id(item) for item in self.before}
        later = {id(item) for item in self.after}
        for group in groups((*self.before, *self.after)):
            yield [item for item in group if id(item) in earlier], [item for item in group if id(item) in later]


def count(findings: Iterable[SecurityFinding]) -> dict[str, int]:
    """How many there are of each severity, the worst first; every severity is named."""
    counts: Mapping[Severity, int] = Counter(finding.severity for finding in findings)
    return {severity.name: counts.get(severity, 0) for severity in sorted(Severity, reverse=True)}
