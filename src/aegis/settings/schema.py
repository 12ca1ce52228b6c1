"""Every setting: its type, its default, its meaning. The page of settings and `aegis config` are made from this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator


def _words(value: Any) -> Any:
    """A list as an environment variable writes it: `a,b` or a JSON array."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Priority = Literal["DEBUG", "INFORMATIONAL", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
Severity = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
SCANNERS = ("podsecurity", "kubesec", "semgrep", "trivy", "zap", "falco")
"""By the names of their plug-ins; a test holds this against what is found."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _priority(value: Any) -> Any:
    """Falco writes Informational, and calls it `info` too."""
    upper = _upper(value)
    return {"INFO": "INFORMATIONAL"}.get(upper, upper) if isinstance(upper, str) else upper


def _upper_words(value: Any) -> Any:
    words = _words(value)
    return [_upper(word) for word in words] if isinstance(words, list | tuple) else words


Severities = Annotated[tuple[Severity, ...], BeforeValidator(_upper_words)]


class Section(BaseModel):
    """A group of settings, which never change once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class Kubernetes(Section):
    """Which cluster."""

    context: str = Field(default="", description="Context of the kubeconfig; empty: the current one.")
    kubeconfig: Path | None = Field(default=None, description="A kubeconfig; unset: as kubectl finds it.")
    api_timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds that one request may take.")


class Shadow(Section):
    """Where a fix is tried."""

    provider: Literal["namespace", "vcluster"] = Field(
        default="namespace", description="What a shadow is: a namespace; vcluster is not there yet."
    )
    trials: int = Field(default=5, ge=1, le=50, description="Pods of each arm of a trial.")
    max_concurrent: int = Field(default=3, ge=1, le=50, description="Trials that run at once in a cluster.")
    ttl_minutes: float = Field(
        default=120.0, gt=0, le=120, description="After so many minutes a shadow is swept, whatever happens."
    )
    ready_seconds: float = Field(
        default=600.0, gt=0, le=7200, description="How long a trial's pods may take to become ready."
    )
    isolation_seconds: float = Field(
        default=60.0, gt=0, le=600, description="How long the probes of a shadow's isolation may take."
    )
    secrets: Literal["synthetic", "copy"] = Field(
        default="synthetic",
        description="Secrets in a shadow: fakes of the same shape, or copies of those in secrets_allowed.",
    )
    secrets_allowed: Words = Field(default=(), description="Secrets that may be copied, as NAMESPACE/NAME.")

    @field_validator("secrets_allowed")
    @classmethod
    def _are_named_in_full(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for secret in value:
            namespace, _, name = secret.partition("/")
            if not namespace or not name or "/" in name:
                raise ValueError("a Secret is named as NAMESPACE/NAME")
        return value


class Verification(Section):
    """When a fix counts as good."""

    crashes: int = Field(
        default=7, ge=5, le=100, description="Crashes of the broken arm to wait for, while the fixed arm has none."
    )
    min_seconds: float = Field(
        default=180.0, ge=1, le=7200, description="The shortest time that both arms are watched."
    )
    max_seconds: float = Field(default=1800.0, ge=1, le=14400, description="The longest.")
    stable_seconds: float = Field(
        default=120.0, ge=1, le=7200, description="How long the fixed arm must stay good at the end."
    )
    load_requests: int = Field(
        default=300, ge=0, le=10000, description="Requests sent to each arm that is compared, up to twice; 0: none."
    )
    load_rate: float = Field(default=10.0, gt=0, le=1000, description="Of these at most so many a second.")
    load_seconds: float = Field(
        default=120.0, ge=1, le=3600, description="After so many seconds no more of them are sent."
    )

    @field_validator("max_seconds")
    @classmethod
    def _not_shorter(cls, value: float, info: Any) -> float:
        if value < info.data.get("min_seconds", 0):
            raise ValueError("shorter than verification.min_seconds")
        return value


class Approval(Section):
    """The question to a person."""

    timeout_minutes: float = Field(
        default=15.0, gt=0, le=1440, description="Minutes until an unanswered question is a No."
    )


class Monitoring(Section):
    """After a fix was applied."""

    post_fix_seconds: float = Field(default=300.0, gt=0, le=86400, description="How long production is watched.")


class Safety(Section):
    """What AEGIS never does, or not now."""

    protected_namespaces: Words = Field(
        default=("kube-system", "kube-public", "kube-node-lease", "falco", "aegis-system"),
        description="Namespaces that no fix touches.",
    )
    writes_per_hour: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Remediations that may write to production within an hour; on the embedded cluster any number, unless set.",
    )
    freeze_windows: Words = Field(
        default=(), description="When production is left alone, as `Fri 16:00 - Mon 08:00 Europe/Berlin`."
    )

    @field_validator("freeze_windows")
    @classmethod
    def _are_windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value:
            from aegis.actuator.freeze import FreezeWindow

            for text in value:
                FreezeWindow.parse(text)
        return value


class Security(Section):
    """The scanners, and what they decide."""

    required: Words = Field(
        default=("podsecurity", "trivy"),
        description="Scanners that must have looked wherever they apply; others that are not installed are a gap.",
    )
    fail_open: Words = Field(
        default=(),
        description="Scanners that, where they fail (time is up, no coverage), are a gap, and do not end a trial.",
    )
    ceiling: Annotated[Severity | Literal[""], BeforeValidator(_upper)] = Field(
        default="", description="A finding so severe refuses a fix even if it is not new; empty: only new ones do."
    )
    waivers: Path | None = Field(
        default=None, description="A file of findings that are accepted, each with owner, reason and expiry."
    )
    fail_on: Annotated[Severity, BeforeValidator(_upper)] = Field(
        default="HIGH", description="The lowest severity that fails a scan which compares with nothing."
    )
    podsecurity_enabled: bool = Field(default=True, description="Check against the Pod Security Standards.")
    podsecurity_level: Literal["baseline", "restricted"] = Field(
        default="restricted", description="The level up to which new findings refuse a fix."
    )
    kubesec_enabled: bool = Field(default=True, description="Score manifests with Kubesec.")
    kubesec_min_score: int = Field(default=0, description="The lowest score that passes.")
    kubesec_path: Path | None = Field(default=None, description="The program; unset: it is looked for on PATH.")
    kubesec_url: str = Field(default="", description="A Kubesec server of your own; empty: the program is run.")
    kubesec_schemas: str = Field(
        default="",
        description="Where Kubesec finds the cluster's schemas (its SCHEMA_LOCATION); empty: it checks none.",
    )
    kubesec_timeout_seconds: float = Field(default=30.0, gt=0, le=3600, description="Seconds that one run may take.")
    semgrep_enabled: bool = Field(default=True, description="Scan manifests with Semgrep, by rules of AEGIS's own.")
    semgrep_path: Path | None = Field(default=None, description="The program; unset: it is looked for on PATH.")
    semgrep_timeout_seconds: float = Field(default=60.0, gt=0, le=3600, description="Seconds that one run may take.")
    trivy_enabled: bool = Field(default=True, description="Scan images and manifests with Trivy.")
    trivy_severity: Severities = Field(
        default=("HIGH", "CRITICAL"), description="Severities of Trivy that count; an unknown one always does."
    )
    trivy_path: Path | None = Field(default=None, description="The program; unset: it is looked for on PATH.")
    trivy_timeout_seconds: float = Field(default=180.0, gt=0, le=3600, description="Seconds that one run may take.")
    trivy_server: str = Field(default="", description="A Trivy server's URL; empty: Trivy looks by itself.")
    trivy_token: SecretStr | None = Field(default=None, description="The token of that server.")
    trivy_cache: Path | None = Field(
        default=None, description="The folder of Trivy's databases; unset: Trivy's own, in the home folder."
    )
    trivy_scratch: Words = Field(
        default=(), description="Images that hold no package by intention: of these none has to be found."
    )
    trivy_database_days: float = Field(
        default=14.0, gt=0, le=365, description="How many days old Trivy's database may be."
    )
    zap_enabled: bool = Field(default=True, description="Scan the running HTTP service with ZAP.")
    zap_api_url: str = Field(default="", description="A ZAP daemon; empty: ZAP is run for each scan, with Docker.")
    zap_api_key: SecretStr | None = Field(default=None, description="The key of that daemon.")
    zap_image: str = Field(default="ghcr.io/zaproxy/zaproxy:stable", description="The image that is run for each scan.")
    zap_timeout_seconds: float = Field(default=300.0, gt=0, le=3600, description="Seconds that one scan may take.")
    docker_path: Path | None = Field(default=None, description="Docker's program; unset: it is looked for on PATH.")
    docker_host: str = Field(
        default="", description="Docker's daemon; empty: what DOCKER_HOST says, else the usual one."
    )
    falco_enabled: bool = Field(default=True, description="Let Falco's alerts veto a trial.")
    falco_namespace: str = Field(default="", description="Falco's namespace; empty: it is looked for.")
    falco_label_selector: str = Field(default="", description="Labels of Falco's pods; empty: they are looked for.")
    falco_severity_threshold: Annotated[Priority, BeforeValidator(_priority)] = Field(
        default="WARNING", description="The lowest priority that vetoes."
    )
    falco_drain_seconds: float = Field(
        default=60.0, gt=0, le=600, description="How long a trial waits until Falco has told of its canary."
    )
    exploit_sandbox_enabled: bool = Field(
        default=False, description="Run a proof of concept that you supply against the candidate, in a sandbox."
    )
    exploit_proofs: Words = Field(default=(), description="Files of proofs of concept that the sandbox runs.")
    sandbox_timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds that it may take.")

    @field_validator("required", "fail_open")
    @classmethod
    def _are_scanners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in SCANNERS:
                raise ValueError(f"{name!r} is no scanner: {', '.join(SCANNERS)}")
        return value


class Prometheus(Section):
    """Metrics of workloads."""

    url: str = Field(default="", description="Prometheus; empty: none is asked.")
    token: SecretStr | None = Field(default=None, description="A bearer token for it.")
    timeout_seconds: float = Field(default=10.0, gt=0, le=300, description="Seconds that a query may take.")


class VictoriaLogs(Section):
    """Where falcosidekick's alerts are kept and searched."""

    url: str = Field(default="", description="VictoriaLogs; empty: none is asked.")
    token: SecretStr | None = Field(default=None, description="A bearer token for it.")
    ca_file: Path | None = Field(default=None, description="Whom to trust; unset: whom this machine trusts.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="Seconds that a query may take.")


class Loki(Section):
    """The same, where it is a Loki."""

    url: str = Field(default="", description="Loki; empty: none is asked.")
    token: SecretStr | None = Field(default=None, description="A bearer token for it.")
    tenant: str = Field(default="", description="Its tenant (X-Scope-OrgID), where it has several.")
    ca_file: Path | None = Field(default=None, description="Whom to trust; unset: whom this machine trusts.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="Seconds that a query may take.")


class Grafana(Section):
    """Links for people."""

    url: str = Field(default="", description="Grafana; empty: no links are shown.")
    pod_dashboard_uid: str = Field(default="pod-dashboard", description="Dashboard of a pod.")
    deployment_dashboard_uid: str = Field(default="deployment-dashboard", description="Dashboard of a Deployment.")


class Observability(Section):
    """What AEGIS says about itself."""

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", description="The lowest level that is logged."
    )
    log_format: Literal["json", "text"] = Field(default="text", description="How logs are written.")


class State(Section):
    """Where AEGIS keeps what it must remember."""

    folder: Path = Field(default=Path(), description="Incidents, audit log, mode; $XDG_STATE_HOME/aegis.")


class Settings(Section):
    """All settings."""

    kubernetes: Kubernetes = Kubernetes()
    shadow: Shadow = Shadow()
    verification: Verification = Verification()
    approval: Approval = Approval()
    monitoring: Monitoring = Monitoring()
    safety: Safety = Safety()
    security: Security = Security()
    prometheus: Prometheus = Prometheus()
    victorialogs: VictoriaLogs = VictoriaLogs()
    loki: Loki = Loki()
    grafana: Grafana = Grafana()
    observability: Observability = Observability()
    state: State = State()


def keys() -> dict[str, str]:
    """Every dotted key with its description."""
    found: dict[str, str] = {}
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)  # noqa: S101  (Settings has sections only)
        assert issubclass(model, Section)  # noqa: S101
        found |= {f"{section}.{name}": inner.description or "" for name, inner in model.model_fields.items()}
    return found
