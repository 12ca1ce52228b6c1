"""Reports as trivy 0.74 writes them, cut down to what matters, and a program that answers with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fake_tool import FakeTool, Fault

from aegis.security.desk import Desk, ScanRules

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def fault(name: str, package: str, severity: str = "HIGH", fixed: str = "2.0", **more: Any) -> dict[str, Any]:
    """A vulnerability of a Debian package."""
    return {
        "VulnerabilityID": name,
        "PkgName": package,
        "PkgIdentifier": {"PURL": f"pkg:deb/debian/{package}@1.0?arch=amd64&distro=debian-12.5", "UID": "ab"},
        "InstalledVersion": "1.0",
        "FixedVersion": fixed,
        "Status": "fixed" if fixed else "affected",
        "Severity": severity,
        "Title": "a fault",
        "Description": "It is a fault.",
        "PrimaryURL": f"https://avd.aquasec.com/nvd/{name.lower()}",
        **more,
    }


def os_section(*faults: dict[str, Any], packages: int = 1, **more: Any) -> dict[str, Any]:
    """The packages of Debian 12.5."""
    listed = [{"Name": f"p{number}", "Version": "1.0"} for number in range(packages)]
    found = {"Vulnerabilities": list(faults)} if faults else {}
    base = {"Target": "shop.tar (debian 12.5)", "Class": "os-pkgs", "Type": "debian", "Packages": listed}
    return {**base, **found, **more}


def image_report(*sections: dict[str, Any], ended: bool = False, **more: Any) -> dict[str, Any]:
    """The report of an image of Debian 12.5."""
    system = {"Family": "debian", "Name": "12.5", **({"EOSL": True} if ended else {})}
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.74.0"},
        "ArtifactName": "shop.tar",
        "ArtifactType": "container_image",
        "Metadata": {"OS": system, "ImageID": "sha256:aa", "DiffIDs": ["sha256:bb"], "RepoTags": ["shop:1"]},
        **({"Results": list(sections)} if sections else {}),
        **more,
    }


def config_report(*names: str, failed: dict[str, list[dict[str, Any]]] | None = None) -> dict[str, Any]:
    """The report of manifests in files of these names."""
    results = [
        {
            "Target": name,
            "Class": "config",
            "Type": "kubernetes",
            "MisconfSummary": {"Successes": 80, "Failures": len((failed or {}).get(name, []))},
            **({"Misconfigurations": failed[name]} if failed and name in failed else {}),
        }
        for name in names
    ]
    return {"SchemaVersion": 2, "ArtifactName": "/m", "ArtifactType": "filesystem", "Results": results}


def misconfiguration(name: str, first: int, last: int, **more: Any) -> dict[str, Any]:
    """A failed check of these lines."""
    return {
        "Type": "Kubernetes Security Check",
        "ID": name,
        "Title": "Privileged",
        "Description": "A privileged container owns its node.",
        "Message": "Container 'app' of Pod 'web' should set 'securityContext.privileged' to false",
        "Resolution": "Change 'containers[].securityContext.privileged' to 'false'.",
        "Severity": "HIGH",
        "Status": "FAIL",
        "PrimaryURL": "https://avd.aquasec.com/misconfig/ksv-0017",
        "CauseMetadata": {"StartLine": first, "EndLine": last},
        **more,
    }


def version(*, number: str = "0.74.0", age: timedelta = timedelta(days=1), database: bool = True) -> dict[str, Any]:
    """What `trivy version --format json` says."""
    updated = (NOW - age).isoformat().replace("+00:00", "Z")
    known = {"Version": 2, "UpdatedAt": updated, "NextUpdate": updated, "DownloadedAt": updated}
    return {"Version": number, **({"VulnerabilityDB": known} if database else {})}


CANARY = image_report(os_section(fault("CVE-2014-0160", "openssl")), ArtifactType="cyclonedx")
"""What the canary gives with a database that is in order."""

MUTE = image_report(os_section(), ArtifactType="cyclonedx")
"""With an empty one."""


def install(folder: Path, *, kind: Fault | None = None, **plan: Any) -> FakeTool:
    """A trivy that fails in its scan only, if at all."""

    probes = {"version": json.dumps(plan.pop("version", version())), "sbom": json.dumps(plan.pop("canary", CANARY))}
    return FakeTool.install(folder, "trivy", probes=probes, fault=kind, output_options=(), **plan)


def desk(tool: FakeTool, **rules: Any) -> Desk:
    """A desk with this tool on it, at NOW."""
    base = {"programs": {"trivy": tool.path}, "timeouts": {"trivy": tool.seconds}}
    return Desk(rules=ScanRules(**{**base, **rules}), path="/usr/bin:/bin", now=lambda: NOW)
