"""Findings that somebody answers for: they stay in the report, and block nothing until they expire. Pure.

Waivers come from whoever runs AEGIS, never from what is proposed: not a comment, not an annotation, not a file beside a
manifest. `aegis.security.waiver_files` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NoReturn

from aegis.errors import UsageError
from aegis.model.report import Suppressed
from aegis.model.scan import ScanResult
from aegis.model.security import SecurityFinding, bare_purl, groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One.

    Attributes:
        id: what it is about, or one of its names.
        ids: all its names; none (never so in a file): whatever it is called.
        purls: only in these packages; none: in any.
        paths: only in these places; none: in any.
        sources: only what these scanners found; none: any.
        products: of OpenVEX: each an image with packages in it, one of which it must be; none: in any.
        owner: who answers for it.
        reason: why.
        expires: from this moment on it does not hold; None for an OpenVEX statement, which has no end.
    """

    id: str
    ids: frozenset[str]
    purls: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    products: tuple[tuple[str, tuple[str, ...]], ...] = ()
    owner: str
    reason: str
    expires: datetime | None

    def covers(self, finding: SecurityFinding, names: frozenset[str]) -> bool:
        """Whether it is about this finding, whose fault has these names."""
        if self.ids and not self.ids & names:
            return False
        if self.sources and finding.source not in self.sources:
            return False
        if self.purls and not any(same_package(purl, finding.purl) for purl in self.purls):
            return False
        if self.products and not any(_is_product(product, finding) for product in self.products):
            return False
        return not self.paths or any(fnmatchcase(place, path) for path in self.paths for place in _places(finding))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """What is left, and what is waived.

    Attributes:
        kept: findings that count.
        suppressed: findings that somebody answers for.
        notes: waivers that would cover a finding and have expired, in words.
    """

    kept: tuple[SecurityFinding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    notes: tuple[str, ...] = ()

    def left_of(self, result: ScanResult) -> ScanResult:
        """One of the results whose findings were looked through, without what is waived."""
        gone = {id(one.finding) for one in self.suppressed}
        return replace(result, findings=tuple(item for item in result.findings if id(item) not in gone))


def apply(findings: Sequence[SecurityFinding], waivers: Iterable[Waiver], *, now: datetime) -> Waived:
    """Take away what waivers cover, under whichever name of a fault.

    Args:
        findings: what was found.
        waivers: those of whoever runs AEGIS.
        now: the time; what expired by then does not apply, and that is said.
    """
    known = tuple(waivers)
    kept: list[SecurityFinding] = []
    suppressed: list[Suppressed] = []
    late: dict[str, None] = {}
    for item, names in _with_all_names(findings):
        meant = [waiver for waiver in known if waiver.covers(item, names)]
        good = next((waiver for waiver in meant if waiver.expires is None or now < waiver.expires), None)
        if good is None:
            kept.append(item)
            late.update(dict.fromkeys(map(_expired, meant)))
        else:
            suppressed.append(_suppressed(item, good))
    return Waived(kept=tuple(kept), suppressed=tuple(suppressed), notes=tuple(late))


def _with_all_names(findings: Sequence[SecurityFinding]) -> Iterator[tuple[SecurityFinding, frozenset[str]]]:
    names = {id(item): _names(fault) for fault in groups(findings) for item in fault}
    return ((item, names[id(item)]) for item in findings)


def _names(fault: Sequence[SecurityFinding]) -> frozenset[str]:
    return frozenset(name.upper() for item in fault for name in item.ids)


def same_package(said: str, found: str) -> bool:
    """Whether a package URL means another: with any version where it names none."""
    if not found or bare_purl(said) != bare_purl(found):
        return False
    return bare_purl(said) == _unqualified(said) or _unqualified(said) == _unqualified(found)


def _unqualified(purl: str) -> str:
    path, mark, subpath = purl.partition("#")
    return path.partition("?")[0].replace("%3A", ":").replace("%3a", ":") + mark + subpath


def _places(finding: SecurityFinding) -> tuple[str, ...]:
    subject = finding.subject
    places = (finding.file, finding.location, subject.name, f"{subject.kind}/{subject.name}")
    return tuple(place for place in places if place)


def _is_product(product: tuple[str, tuple[str, ...]], finding: SecurityFinding) -> bool:
    """Whether the finding is in one of the packages of that image, or in that package."""
    name, packages = product
    if packages:
        return is_image(name, finding) and any(same_package(purl, finding.purl) for purl in packages)
    return is_image(name, finding) or same_package(name, finding.purl)


def is_image(name: str, finding: SecurityFinding) -> bool:
    """Whether an image, named as a pod does or by a URL of type oci, is where the finding is.

    Source: purl-types, oci: `pkg:oci/NAME@sha256:DIGEST?repository_url=HOST/PATH`.
    """
    if finding.subject.kind != "Image":
        return False
    repository, digest = _split(finding.subject.name)
    if not name.startswith("pkg:oci/"):
        wanted, wanted_digest = _split(name)
        return (
            repository == wanted
            and wanted_digest in ("", digest)
            and (bool(wanted_digest) or name == finding.subject.name)
        )
    path, _, qualifiers = name.removeprefix("pkg:oci/").partition("?")
    last, _, version = path.partition("@")
    version = version.replace("%3A", ":").replace("%3a", ":")
    urls = [one.removeprefix("repository_url=") for one in qualifiers.split("&") if one.startswith("repository_url=")]
    wanted = urls[0].replace("%2F", "/").replace("%3A", ":") if urls else ""
    matches = repository == wanted if wanted else repository.rpartition("/")[2] == last
    return matches and (version == digest if version else bool(wanted))


def _split(reference: str) -> tuple[str, str]:
    """An image's repository without its tag, and its digest."""
    path, _, digest = reference.partition("@")
    at = path.rfind(":")
    return (path[:at] if at > path.rfind("/") else path), digest


def _suppressed(finding: SecurityFinding, waiver: Waiver) -> Suppressed:
    return Suppressed(
        finding=finding,
        waiver=waiver.id,
        owner=waiver.owner,
        reason=waiver.reason,
        expires=_day(waiver.expires) if waiver.expires else "",
    )


def _expired(waiver: Waiver) -> str:
    day = _day(waiver.expires) if waiver.expires else ""
    return f"the waiver of {waiver.owner} for {waiver.id} expired on {day}: it does not apply"


def _day(moment: datetime) -> str:
    """The last day on which it holds, or the moment."""
    whole = moment.time() == datetime.min.time()
    return str((moment - timedelta(days=1)).date()) if whole else moment.isoformat()


def refuse(where: str, why: str) -> NoReturn:
    """Say what is wrong.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{where}: {why}", hint="See docs/scanning.md for the form of waivers.")
