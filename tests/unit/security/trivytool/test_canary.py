"""The canary asks about what every database knows, and its silence is told from its song."""

from __future__ import annotations

import json

import pytest
from trivy_reports import CANARY, MUTE, fault, image_report, os_section

from aegis.security.trivytool import canary
from aegis.security.trivytool.report import Report, System, read_report

DEBIAN = System(family="debian", release="12.5")


def read(report: object) -> Report:
    return read_report(json.dumps(report).encode())


def language(kind: str, *faults: dict[str, object]) -> dict[str, object]:
    return {"Target": kind, "Class": "lang-pkgs", "Type": kind, "Packages": [{}], "Vulnerabilities": list(faults)}


def test_the_bill_asks_for_the_system_at_hand() -> None:
    components = canary.bill(DEBIAN)["components"]
    assert {"type": "operating-system", "bom-ref": "system", "name": "debian", "version": "12.5"} in components
    assert "pkg:deb/debian/openssl@0?arch=x86_64" in [item.get("purl") for item in components]
    log4j = next(item for item in components if item["name"] == "log4j-core")
    assert (log4j["group"], log4j["version"]) == ("org.apache.logging.log4j", "2.14.1")
    assert len({item["bom-ref"] for item in components}) == len(components)


@pytest.mark.parametrize("system", [None, System(family="plan9", release="4"), System(family="redhat", release="10.0")])
def test_of_no_known_system_only_languages_are_asked(system: System | None) -> None:
    assert all(item["type"] == "library" for item in canary.bill(system)["components"])
    assert not canary.provable(canary.OS, system)


def test_parts_and_which_of_them_found_anything() -> None:
    report = read(image_report(os_section(), language("python-pkg", fault("CVE-1", "a")), language("conan")))
    assert canary.parts(report) == {canary.OS: False, "pip": True, "conan": False}


def test_song_and_silence() -> None:
    assert canary.spoken(read(CANARY)) == {canary.OS}
    assert canary.spoken(read(MUTE)) == frozenset()
    assert canary.silent([canary.OS, "pip", "conan"], read(CANARY), DEBIAN) == ("pip",)
    assert canary.silent([canary.OS], read(MUTE), DEBIAN) == (canary.OS,)
