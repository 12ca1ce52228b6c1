"""From settings to the rules that each part goes by. Pure, but for the files that a setting names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.delivery.regression import WatchRules
from aegis.errors import UsageError
from aegis.flows.tools import DeliveryPolicy
from aegis.model.canonical import digest
from aegis.model.refs import Json, ObjectRef
from aegis.ports import Cluster

if TYPE_CHECKING:
    from aegis.settings import LoadedSettings, Settings

_SECRETS = {"trivy_token", "zap_api_key"}
"""Of security only these say nothing of what was looked at, or of what follows from it."""


def actuator_rules(loaded: LoadedSettings, cluster: Cluster) -> Any:
    """What may be written, as configured. The embedded cluster is nobody's production: no rate, unless one is set."""
    from aegis.actuator import FreezeWindow, Rules

    safety = loaded.settings.safety
    unset = loaded.origins["safety.writes_per_hour"] == "default"
    return Rules(
        protected=frozenset(safety.protected_namespaces),
        writes_per_hour=None if cluster.embedded and unset else safety.writes_per_hour,
        freezes=tuple(FreezeWindow.parse(text) for text in safety.freeze_windows),
        gitops_owner=_gitops_words,
    )


def delivery_policy(settings: Settings) -> DeliveryPolicy:
    """By which rules a fix is delivered; the version names all that decide."""
    window = settings.monitoring.post_fix_seconds
    standard = WatchRules()
    watch = WatchRules(window=window, stable=min(standard.stable, window), deadline=max(standard.deadline, 2 * window))
    deciding = {
        "verification": settings.verification.model_dump(mode="json"),
        "safety": settings.safety.model_dump(mode="json"),
        "security": settings.security.model_dump(mode="json", exclude=_SECRETS),
        "waivers": _content(settings.security.waivers),
        "monitoring": settings.monitoring.model_dump(mode="json"),
    }
    return DeliveryPolicy(
        approval=timedelta(minutes=settings.approval.timeout_minutes), watch=watch, version=digest(deciding)
    )


def _content(path: Path | None) -> str:
    """The digest of a file that decides; empty where there is none, or (the trial says why) it cannot be read."""
    if path is None:
        return ""
    try:
        return digest(path.expanduser().read_bytes().hex())
    except OSError:
        return ""


def trial_limits(settings: Settings) -> Any:
    """How much a trial may take, as configured."""
    from aegis.shadow.load import LoadRules
    from aegis.shadow.tools import TrialLimits

    shadow, verification = settings.shadow, settings.verification
    load = LoadRules(
        requests=verification.load_requests, rate=verification.load_rate, seconds=verification.load_seconds
    )
    return replace(
        TrialLimits(),
        shadows=shadow.max_concurrent,
        trials=shadow.trials,
        copy_secrets=shadow.secrets_allowed if shadow.secrets == "copy" else (),
        falco=falco_rules(settings),
        load=load,
        exploit=exploit_rules(settings),
    )


def exploit_rules(settings: Settings) -> Any:
    """Which proofs of concept are let loose, as configured; their files are read only where they are.

    Raises:
        UsageError: if one of them cannot be read, or two have one name.
    """
    from aegis.security.sandbox import SandboxRules, load_proof

    security = settings.security
    if not security.exploit_sandbox_enabled:
        return SandboxRules()
    proofs = tuple(load_proof(Path(name).expanduser()) for name in security.exploit_proofs)
    if len({proof.name for proof in proofs}) < len(proofs):
        raise UsageError("two proofs of concept have one name", hint="See security.exploit_proofs.")
    return SandboxRules(enabled=True, seconds=security.sandbox_timeout, proofs=proofs)


def falco_rules(settings: Settings) -> Any:
    """How Falco's alerts count, as configured."""
    from aegis.evidence.falco import FalcoPlace
    from aegis.falco.priority import Priority
    from aegis.shadow.tools import FalcoRules

    security = settings.security
    return FalcoRules(
        enabled=security.falco_enabled,
        place=FalcoPlace(namespace=security.falco_namespace, labels=security.falco_label_selector),
        threshold=Priority.parse(security.falco_severity_threshold) or Priority.DEBUG,
        drain_seconds=security.falco_drain_seconds,
    )


def links(settings: Settings, target: ObjectRef) -> Mapping[str, str]:
    """Where a person may look further."""
    from urllib.parse import urlencode

    grafana = settings.grafana
    if not grafana.url:
        return {}
    uid = grafana.pod_dashboard_uid if target.kind == "Pod" else grafana.deployment_dashboard_uid
    query = urlencode({"var-namespace": target.namespace, f"var-{target.kind.lower()}": target.name})
    return {"grafana": f"{grafana.url.rstrip('/')}/d/{uid}?{query}"}


def _gitops_words(obj: Json) -> str | None:
    from aegis.kube.ownership import gitops_owner

    owner = gitops_owner(obj)
    return f"{owner.owner} {owner.app}".strip() if owner else None
