"""What scanners work with: the programs of this machine, a folder that is kept, a cluster where there is one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aegis.falco.priority import Priority
from aegis.ports import Actuator, ClusterReader


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRules:
    """How the tools are to look, as configured.

    Attributes:
        programs: the path of a tool, by its name, where it is not to be looked for on PATH.
        timeouts: seconds that one run of a tool may take, by its name; others take `timeout`.
        timeout: the seconds of all others.
        trivy_server: URL of a trivy server; empty: the tool looks by itself.
        trivy_token: of that server.
        trivy_database_days: how old its database may be.
        trivy_cache: the folder in which trivy keeps its databases; None: its own, in the home folder.
        trivy_scratch: references of images that hold no package by intention, so that none has to be found.
        kubesec_min_score: the lowest score that passes.
        kubesec_url: a Kubesec server of AEGIS's own; empty: its program is run.
        kubesec_schemas: where its program finds the schemas of this cluster, as `SCHEMA_LOCATION` names them; empty:
            it checks none.
        zap_image: what is run where ZAP is run for each scan, by digest or tag.
        zap_api_url: a ZAP daemon of AEGIS's own; empty: ZAP is run for each scan.
        zap_api_key: the key of that daemon.
        docker_host: where Docker's daemon listens, as `DOCKER_HOST` writes it; empty: where Docker looks by itself.
        falco_namespace: where Falco is; empty: it is looked for.
        falco_labels: labels of its pods; empty: they are looked for.
        falco_threshold: the lowest priority that counts.
    """

    programs: Mapping[str, Path] = field(default_factory=dict)
    timeouts: Mapping[str, float] = field(default_factory=dict)
    timeout: float = 180.0
    trivy_server: str = ""
    trivy_token: str = field(default="", repr=False)
    trivy_database_days: float = 14.0
    trivy_cache: Path | None = None
    trivy_scratch: tuple[str, ...] = ()
    kubesec_min_score: int = 0
    kubesec_url: str = ""
    kubesec_schemas: str = ""
    zap_image: str = "ghcr.io/zaproxy/zaproxy:stable"
    zap_api_url: str = ""
    zap_api_key: str = field(default="", repr=False)
    docker_host: str = ""
    falco_namespace: str = ""
    falco_labels: str = ""
    falco_threshold: Priority = Priority.WARNING

    def seconds(self, tool: str) -> float:
        """How long one run of a tool may take."""
        return self.timeouts.get(tool, self.timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a scanner works with.

    Attributes:
        rules: how the tools are to look.
        path: the folders in which programs are looked for, as PATH writes them.
        cache: a folder that is kept from run to run; None: nothing is.
        reader: of the cluster; None where there is none.
        actuator: the door that writes to it; None where nothing may be written.
        now: the time.
    """

    rules: ScanRules = field(default_factory=ScanRules)
    path: str = os.defpath
    cache: Path | None = None
    reader: ClusterReader | None = None
    actuator: Actuator | None = None
    now: Callable[[], datetime] = _utc_now

    def program(self, name: str) -> Path | None:
        """Where a tool is: as configured, on PATH, or beside the running interpreter (an extra of this package)."""
        configured = self.rules.programs.get(name)
        if configured is not None:
            return configured if configured.is_file() else None
        found = shutil.which(name, path=self.path) or shutil.which(name, path=str(Path(sys.executable).parent))
        return Path(found) if found else None
