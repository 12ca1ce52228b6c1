"""The names of environment variables: ours, the seeds' and the predecessor's, and those that Kubernetes injects."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

PREFIX: Final = "AEGIS_"
COMPAT: Final = "AEGIS_COMPAT"
RESERVED: Final = frozenset({COMPAT, "AEGIS_CONFIG"})
"""Variables that are no settings."""

ALIASES: Final[Mapping[str, str]] = {
    "SECURITY_TRIVY_ENABLED": "security.trivy_enabled",
    "SECURITY_TRIVY_SEVERITY": "security.trivy_severity",
    "SECURITY_KUBESEC_ENABLED": "security.kubesec_enabled",
    "SECURITY_KUBESEC_MIN_SCORE": "security.kubesec_min_score",
    "SECURITY_ZAP_ENABLED": "security.zap_enabled",
    "SECURITY_ZAP_API_URL": "security.zap_api_url",
    "SECURITY_EXPLOIT_SANDBOX_ENABLED": "security.exploit_sandbox_enabled",
    "SECURITY_SANDBOX_TIMEOUT": "security.sandbox_timeout",
    "SECURITY_FALCO_ENABLED": "security.falco_enabled",
    "SECURITY_FALCO_NAMESPACE": "security.falco_namespace",
    "SECURITY_FALCO_LABEL_SELECTOR": "security.falco_label_selector",
    "SECURITY_FALCO_SEVERITY": "security.falco_severity_threshold",
    "SECURITY_FALCO_SEVERITY_THRESHOLD": "security.falco_severity_threshold",
    "AEGIS_SECURITY__FALCO_SEVERITY": "security.falco_severity_threshold",
}
"""Always read, and announced."""

PREDECESSOR: Final[Mapping[str, str]] = {
    "K8S_KUBECONFIG_PATH": "kubernetes.kubeconfig",
    "K8S_CONTEXT": "kubernetes.context",
    "K8S_API_TIMEOUT": "kubernetes.api_timeout",
    "SHADOW_MAX_CONCURRENT_SHADOWS": "shadow.max_concurrent",
    "INCIDENT_APPROVAL_TIMEOUT_MINUTES": "approval.timeout_minutes",
    "INCIDENT_POST_FIX_MONITORING_SECONDS": "monitoring.post_fix_seconds",
    "OBS_LOG_LEVEL": "observability.log_level",
    "OBS_LOG_FORMAT": "observability.log_format",
    "OBS_PROMETHEUS_URL": "prometheus.url",
    "OBS_PROMETHEUS_QUERY_TIMEOUT": "prometheus.timeout_seconds",
    "OBS_LOKI_URL": "loki.url",
    "OBS_GRAFANA_URL": "grafana.url",
    "OBS_GRAFANA_POD_DASHBOARD_UID": "grafana.pod_dashboard_uid",
    "OBS_GRAFANA_DEPLOYMENT_DASHBOARD_UID": "grafana.deployment_dashboard_uid",
}
"""Read only with AEGIS_COMPAT=1, since variables that happen to be there must not retarget a cluster."""

_SERVICE_LINK: Final = re.compile(
    r"AEGIS_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d{1,5}_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_ENDPOINT: Final = re.compile(r"(?:tcp|udp|sctp)://.+")


def key_of(variable: str) -> str:
    """The dotted key that `AEGIS_SECTION__KEY` means."""
    return variable.removeprefix(PREFIX).lower().replace("__", ".", 1)


def variable_of(key: str) -> str:
    """The variable for a dotted key."""
    return PREFIX + key.replace(".", "__", 1).upper()


def is_service_link(variable: str, value: str) -> bool:
    """Whether Kubernetes injected it for a Service whose name begins with `aegis`: `AEGIS_PORT=tcp://…`."""
    if "__" in variable or not _SERVICE_LINK.fullmatch(variable):
        return False
    return not variable.endswith("_PORT") or "SERVICE_PORT" in variable or _is_port(variable, value)


def _is_port(variable: str, value: str) -> bool:
    named = re.search(r"_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PORT$", variable)
    return value.isdecimal() if named else bool(_ENDPOINT.fullmatch(value))


def nearest(word: str, known: Collection[str]) -> str:
    """The known name that is most like a wrong one; empty where none is."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else ""
