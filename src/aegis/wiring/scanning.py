"""From settings to what scanners work with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegis.ports import Actuator, ClusterReader
    from aegis.security.desk import Desk, ScanRules
    from aegis.security.policy import SecurityPolicy
    from aegis.settings import LoadedSettings, Settings
    from aegis.shadow.tools import SecurityRules
    from aegis.wiring.places import Places


def scan_rules(settings: Settings) -> ScanRules:
    """How the tools are to look, as configured."""
    from aegis.falco.priority import Priority
    from aegis.security.desk import ScanRules

    security = settings.security
    paths = {
        "kubesec": security.kubesec_path,
        "semgrep": security.semgrep_path,
        "trivy": security.trivy_path,
        "docker": security.docker_path,
    }
    return ScanRules(
        programs={name: path for name, path in paths.items() if path is not None},
        timeouts={
            "kubesec": security.kubesec_timeout_seconds,
            "semgrep": security.semgrep_timeout_seconds,
            "trivy": security.trivy_timeout_seconds,
            "zap": security.zap_timeout_seconds,
        },
        trivy_server=security.trivy_server,
        trivy_token=security.trivy_token.get_secret_value() if security.trivy_token else "",
        trivy_database_days=security.trivy_database_days,
        trivy_cache=security.trivy_cache,
        trivy_scratch=security.trivy_scratch,
        kubesec_min_score=security.kubesec_min_score,
        kubesec_url=security.kubesec_url,
        kubesec_schemas=security.kubesec_schemas,
        zap_image=security.zap_image,
        zap_api_url=security.zap_api_url,
        zap_api_key=security.zap_api_key.get_secret_value() if security.zap_api_key else "",
        docker_host=security.docker_host,
        falco_namespace=security.falco_namespace,
        falco_labels=security.falco_label_selector,
        falco_threshold=Priority.parse(security.falco_severity_threshold) or Priority.DEBUG,
    )


def security_policy(settings: Settings) -> SecurityPolicy:
    """What is required of scanners, and what refuses a fix, as configured."""
    from aegis.model.security import Severity
    from aegis.security.policy import SecurityPolicy

    security = settings.security
    return SecurityPolicy(
        ceiling=Severity[security.ceiling] if security.ceiling else None,
        fail_on=Severity[security.fail_on],
        required=frozenset(security.required),
        fail_open=frozenset(security.fail_open),
    )


def security_rules(settings: Settings, desk: Desk) -> SecurityRules:
    """What scanners do in a trial, and what follows from what they say, as configured.

    Raises:
        UsageError: if the waivers cannot be read.
    """
    from aegis.model.security import Severity
    from aegis.security.waiver_files import load
    from aegis.shadow.tools import SecurityRules

    security = settings.security
    enabled = {
        "podsecurity": security.podsecurity_enabled,
        "kubesec": security.kubesec_enabled,
        "semgrep": security.semgrep_enabled,
        "trivy": security.trivy_enabled,
        "zap": security.zap_enabled,
    }
    return SecurityRules(
        desk=desk,
        policy=security_policy(settings),
        waivers=load(security.waivers.expanduser()) if security.waivers else (),
        off=frozenset(name for name, on in enabled.items() if not on),
        trivy_severities=frozenset(Severity[word] for word in security.trivy_severity),
        podsecurity_baseline_only=security.podsecurity_level == "baseline",
    )


def scan_desk(
    loaded: LoadedSettings,
    places: Places | None = None,
    *,
    reader: ClusterReader | None = None,
    actuator: Actuator | None = None,
) -> Desk:
    """What scanners work with.

    Args:
        loaded: the settings.
        places: where the state lies; None: nothing is kept.
        reader: of the cluster, where there is one.
        actuator: the door that writes it, where it may be written.
    """
    from aegis.security.desk import Desk

    rules = scan_rules(loaded.settings)
    return Desk(
        rules=replace(rules, docker_host=rules.docker_host or loaded.environ.get("DOCKER_HOST", "")),
        path=loaded.environ.get("PATH") or os.defpath,
        cache=Path(places.scans) if places is not None else None,
        reader=reader,
        actuator=actuator,
    )
