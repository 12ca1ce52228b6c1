"""How trivy is asked: argument lists and a whole environment. Pure.

Left to itself it obeys a `trivy.yaml`, a `.trivyignore` and every `TRIVY_*` variable that it meets, hides what these
suppress, downloads another database between two scans, and tells its makers of each. So it runs in an empty folder, with
configuration and ignore file of ours (both empty), with what is suppressed shown, and with no update of anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aegis.model.scan import Image

_NOTHING = "/dev/null"
_REFERENCE = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:/@+\-\[\]]{0,511}")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9.]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a run takes place and what it works with.

    Attributes:
        program: trivy.
        scratch: an empty folder that is removed afterwards.
        cache: the folder that holds trivy's databases.
        home: the home folder, in which the logins of registries are; only a pull gets to see it.
        path: where credential helpers are, as PATH writes folders.
        server: URL of a trivy server; empty: trivy looks by itself.
        token: of that server.
        salt: what makes marks of secrets this installation's own.
        seconds: how long one run may take.
    """

    program: Path
    scratch: Path
    cache: Path
    home: Path
    path: str
    server: str = ""
    token: str = field(default="", repr=False)
    salt: str = field(default="", repr=False)
    seconds: float = 180.0

    def env(self, *, home: bool = False) -> Mapping[str, str]:
        """The whole environment of a run; `home`: whether it may see the logins of registries."""
        plain = {"PATH": self.path, "HOME": str(self.home if home else self.scratch), "TMPDIR": str(self.scratch)}
        return {**plain, **({"TRIVY_TOKEN": self.token} if self.server and self.token else {})}


def version(bench: Bench) -> list[str]:
    """Which trivy it is, and of when its databases are."""
    return [str(bench.program), "version", "--format", "json", "--config", _NOTHING, "--cache-dir", str(bench.cache)]


def image(bench: Bench, subject: Image) -> list[str]:
    """Look for vulnerable packages in an image: of a registry, or saved in a file.

    Raises:
        ValueError: if the reference or platform is none.
    """
    if subject.platform and not _PLATFORM.fullmatch(subject.platform):
        raise ValueError(f"{subject.platform!r} is no platform")
    if subject.archive is None and not _REFERENCE.fullmatch(subject.reference):
        raise ValueError(f"{subject.reference[:80]!r} is no image reference")
    platform = ["--platform", subject.platform] if subject.platform and subject.archive is None else []
    where = ["--input", str(subject.archive)] if subject.archive else ["--image-src", "remote", "--", subject.reference]
    modules = f"--module-dir={bench.scratch / 'none'}"
    return [*_vulnerabilities(bench, "image", "vuln"), modules, *platform, *where]


def bill(bench: Bench, file: Path) -> list[str]:
    """Look up the packages of a bill of materials."""
    return [*_vulnerabilities(bench, "sbom", "vuln"), "--", str(file)]


def tree(bench: Bench, path: Path, *, root: bool) -> list[str]:
    """Look at a folder: as the root of a system (`root`: what is installed), or as source (what is locked).

    Kubernetes manifests are left out: trivy passes over documents that are written a little differently, without a
    word; they are looked at as canonical manifests.
    """
    scanners = ["--skip-check-update", "--misconfig-scanners", "dockerfile,helm,terraform,cloudformation"]
    command = "rootfs" if root else "fs"
    return [*_vulnerabilities(bench, command, "vuln,misconfig,secret"), *scanners, "--", str(path)]


def config(bench: Bench, folder: Path) -> list[str]:
    """Check manifests, by the checks that are built into the program: no others lie in the folder that it gets as cache."""
    own = ["--skip-check-update", "--cache-dir", str(bench.scratch / "none"), "--misconfig-scanners", "kubernetes"]
    return [*_report(bench, "config"), *own, "--", str(folder)]


def _vulnerabilities(bench: Bench, command: str, scanners: str) -> list[str]:
    """The index of Java archives is used here even where a server looks up the rest."""
    common = [*_report(bench, command), "--scanners", scanners, "--show-suppressed", "--offline-scan"]
    common += ["--skip-java-db-update", "--cache-dir", str(bench.cache)]
    where = ["--server", bench.server] if bench.server else ["--skip-db-update", "--cache-backend", "memory"]
    return [*common, *where]


def _report(bench: Bench, command: str) -> list[str]:
    return [
        str(bench.program),
        command,
        "--format=json",
        f"--config={_NOTHING}",
        f"--ignorefile={_NOTHING}",
        "--skip-version-check",
        "--disable-telemetry",
        f"--timeout={bench.seconds:g}s",
    ]
