"""A bill of materials that must give findings with whatever database is in use. Pure.

Trivy with an empty database, or with one that knows nothing of the system at hand (a release too new, a bucket lost in a
copy), ends well and finds nothing. So before "nothing found" is believed, it is asked about packages that have been
vulnerable for years: of each language ecosystem one of its best known faults, and of the very system that was found
`openssl` and `curl` at version 0, which is older than every version in which anything was mended, so that any advisory on
them matches, whichever the database holds. A part of the image for which the canary stays silent was not looked at.
Where a vulnerability was found in a part, that is proof enough, and no canary is needed.
"""

from __future__ import annotations

from collections.abc import Iterable

from aegis.model.refs import JsonObject
from aegis.security.trivytool.report import Report, Section, System

OS = "os"
"""The part of an image that its distribution's packages are; the other parts are called by their ecosystem."""

_PACKAGES = ("openssl", "curl")

_SYSTEMS: dict[str, tuple[str, str]] = {
    "debian": ("deb", "debian"),
    "ubuntu": ("deb", "ubuntu"),
    "alpine": ("apk", "alpine"),
    "wolfi": ("apk", "wolfi"),
    "chainguard": ("apk", "chainguard"),
    "alma": ("rpm", "alma"),
    "rocky": ("rpm", "rocky"),
    "oracle": ("rpm", "oracle"),
    "amazon": ("rpm", "amazon"),
    "photon": ("rpm", "photon"),
    "azurelinux": ("rpm", "azurelinux"),
    "cbl-mariner": ("rpm", "cbl-mariner"),
    "centos": ("rpm", "centos"),
    "echo": ("deb", "echo"),
    "minimos": ("apk", "minimos"),
    "opensuse-leap": ("rpm", "opensuse"),
    "opensuse-tumbleweed": ("rpm", "opensuse"),
    "redhat": ("rpm", "redhat"),
    "slem": ("rpm", "suse"),
    "sles": ("rpm", "suse"),
}
"""By trivy's name of the family: type and namespace of its package URLs. Of others nothing can be proved this way."""

_RELEASES = {"redhat": frozenset({"7", "8", "9"}), "centos": frozenset({"7", "8"})}
"""Of these only: a package that does not say of which repository it is, is taken to be of the usual one there."""

_ECOSYSTEMS: dict[str, tuple[tuple[str, ...], str]] = {
    "pip": (("python-pkg", "pip", "pipenv", "poetry", "uv", "pylock"), "pkg:pypi/django@1.0"),
    "npm": (("node-pkg", "npm", "yarn", "pnpm", "bun", "javascript"), "pkg:npm/lodash@4.17.4"),
    "maven": (
        ("jar", "pom", "gradle", "sbt"),
        "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
    ),
    "go": (("gobinary", "gomod"), "pkg:golang/golang.org/x/crypto@0.0.1"),
    "rubygems": (("gemspec", "bundler"), "pkg:gem/rack@1.0.0"),
    "composer": (("composer", "composer-vendor"), "pkg:composer/phpunit/phpunit@5.6.0"),
    "cargo": (("rustbinary", "cargo"), "pkg:cargo/time@0.1.42"),
    "nuget": (("nuget", "dotnet-core", "packages-props"), "pkg:nuget/Newtonsoft.Json@9.0.1"),
}
"""By ecosystem: the types under which trivy reports it, and a package with a fault that every database knows."""

_OF_TYPE = {name: ecosystem for ecosystem, (types, _) in _ECOSYSTEMS.items() for name in types}


def bill(system: System | None) -> JsonObject:
    """The canary for a system: CycloneDX 1.5."""
    components: list[JsonObject] = [_component(purl) for _, purl in _ECOSYSTEMS.values()]
    if system and _known(system):
        kind, namespace = _SYSTEMS[system.family]
        version = "0-0" if kind == "rpm" else "0"
        components.append({
            "type": "operating-system",
            "bom-ref": "system",
            "name": system.family,
            "version": system.release,
        })
        components += [_component(f"pkg:{kind}/{namespace}/{name}@{version}?arch=x86_64") for name in _PACKAGES]
    root = {"type": "application", "bom-ref": "canary", "name": "canary"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
    }


def parts(report: Report) -> dict[str, bool]:
    """The parts of a report whose silence must be proved: `OS` and ecosystems, each with whether it found anything."""
    found: dict[str, bool] = {}
    for section in report.of("os-pkgs", "lang-pkgs"):
        part = part_of(section)
        found[part] = found.get(part, False) or bool(section.vulnerabilities)
    return found


def part_of(section: Section) -> str:
    """The part that a section of packages belongs to; a language that has no canary is called by its type."""
    return OS if section.kind == "os-pkgs" else _OF_TYPE.get(section.type, section.type)


def provable(part: str, system: System | None) -> bool:
    """Whether the canary has anything that speaks for a part."""
    return part in _ECOSYSTEMS or (part == OS and system is not None and _known(system))


def _known(system: System) -> bool:
    releases = _RELEASES.get(system.family)
    return system.family in _SYSTEMS and (releases is None or system.release.partition(".")[0] in releases)


def spoken(canary: Report) -> frozenset[str]:
    """The parts for which it found something."""
    return frozenset(part for part, any_found in parts(canary).items() if any_found)


def silent(wanted: Iterable[str], canary: Report, system: System | None) -> tuple[str, ...]:
    """Of the parts wanted, those of which the database knows nothing although it should."""
    known = spoken(canary)
    return tuple(part for part in wanted if provable(part, system) and part not in known)


def _component(purl: str) -> JsonObject:
    path, _, version = purl.partition("?")[0].removeprefix("pkg:").rpartition("@")
    kind, *group, name = path.split("/")
    of_group = {"group": "/".join(group)} if group and kind == "maven" else {}
    full = name if kind in {"deb", "apk", "rpm", "maven"} else "/".join((*group, name))
    return {"type": "library", "bom-ref": purl, "name": full, **of_group, "version": version, "purl": purl}
