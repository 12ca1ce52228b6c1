"""Proofs of concept: what a person hands in, the Job that runs one, and what its end says. Pure.

A proof is a hostile program. It runs as nobody, without a token, without a writable root, with little memory, for seconds,
and may speak to nothing but the service that it attacks. What it says of itself is an exit status: 0, it got in; 10, it
tried and was held off; anything else proves nothing. (Not 1: that is how interpreters end when a script breaks.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from aegis.errors import UsageError
from aegis.model.redact import redact_text
from aegis.model.refs import Json, JsonObject

EXPLOITED, HELD = 0, 10
"""The exit statuses that say something."""

SANDBOX: Final = "aegis.io/sandbox"
"""The label of pods to which the arm's own leave to speak within itself does not extend."""

CONTAINER: Final = "proof"
FOLDER: Final = "/proof"
LOG_BYTES: Final = 64 << 10

_KIND = "ProofOfConcept"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@-]{0,400}")
_FIELDS = frozenset({"image", "command", "script", "service", "port"})
_LARGEST = 256 << 10
_LARGEST_PORT = 65535
_LINES, _LINE = 40, 300
_CONTROL = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_USER = 65532


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOfConcept:
    """What a person hands in.

    Attributes:
        name: of it.
        image: in which it runs.
        command: what is run; the script lies at `/proof/script`.
        script: its text.
        service: the Service that it attacks; empty: the only one of the workload.
        port: of that Service; None: its only TCP port.
    """

    name: str
    image: str
    command: tuple[str, ...]
    script: str
    service: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a proof may speak to, and nothing else.

    Attributes:
        host: the name under which the proof knows it.
        names: further names.
        address: the IP address behind them.
        port: at that address.
        pods: labels of the pods behind it.
        pod_port: the number or name of the port there.
    """

    host: str
    address: str
    port: int
    pods: Mapping[str, str]
    pod_port: int | str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRules:
    """How proofs are run.

    Attributes:
        enabled: whether they are.
        seconds: real seconds that one may take.
        proofs: those that were handed in.
    """

    enabled: bool = False
    seconds: float = 30.0
    proofs: tuple[ProofOfConcept, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one proof.

    Attributes:
        proof: its name.
        exploitable: whether it got in; None: nothing is known.
        reason: why nothing is known; else empty.
        status: its exit status; None where it did not end by itself.
        evidence: its last lines, without secrets.
        gaps: what did not hold it that should have.
    """

    proof: str
    exploitable: bool | None
    reason: str = ""
    status: int | None = None
    evidence: tuple[str, ...] = ()
    gaps: tuple[str, ...] = field(default=())

    @property
    def word(self) -> str:
        """`true`, `false` or `unknown`."""
        return "unknown" if self.exploitable is None else str(self.exploitable).lower()

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "proof": self.proof,
            "exploitable": self.word,
            "reason": self.reason,
            "status": self.status,
            "evidence": list(self.evidence),
            "gaps": list(self.gaps),
        }


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def load_proof(path: Path) -> ProofOfConcept:
    """Read a file.

    Raises:
        UsageError: if it cannot be read, or is no proof of concept.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        return read_proof(data.decode())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from None


def read_proof(text: str) -> ProofOfConcept:
    """Read a proof of concept, written as an object of Kubernetes.

    Raises:
        UsageError: if it is none; the message says what is wrong.
    """
    if len(text) > _LARGEST:
        _refuse(f"it is larger than {_LARGEST >> 10} KiB")
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        _refuse(f"it is no YAML: {error}")
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != ("aegis.io/v1", _KIND):
        _refuse(f"it is no {_KIND} of aegis.io/v1")
    spec, metadata = found.get("spec"), found.get("metadata")
    if not isinstance(spec, dict) or not isinstance(metadata, dict):
        _refuse("it has no metadata or no spec")
    if unknown := sorted(map(str, set(spec) - _FIELDS)):
        _refuse(f"spec has no {', '.join(unknown)}")
    return ProofOfConcept(
        name=_matching(_NAME, metadata.get("name"), "metadata.name"),
        image=_matching(_IMAGE, spec.get("image"), "spec.image"),
        command=_command(spec.get("command")),
        script=_text(spec.get("script"), "spec.script"),
        service=_matching(_NAME, spec["service"], "spec.service") if "service" in spec else "",
        port=_port(spec["port"]) if "port" in spec else None,
    )


def _matching(pattern: re.Pattern[str], value: object, field_name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(f"{field_name} is not as it must be: {str(value)[:80]!r}")
    return value


def _text(value: object, field_name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        _refuse(f"{field_name} is no text")
    return value


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        _refuse("spec.command is no list of words")
    return tuple(value)


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_PORT:
        _refuse("spec.port is no port")
    return value


def _refuse(why: str) -> NoReturn:
    raise UsageError(f"no proof of concept: {why}", hint="See docs/exploit-sandbox.md for its form.")


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a proof.

    Attributes:
        namespace: the arm's.
        name: of the Job, and of all that belongs to it.
        labels: that its pod carries, beside that of the sandbox.
        fuse: seconds after which the cluster itself ends it, if nobody else does; on the cluster's own clock.
        runtime_class: of gVisor; empty where the cluster has none.
        guard: a container that must succeed before the proof begins; it sees the same network.
        volumes: what the guard mounts.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    fuse: int
    runtime_class: str = ""
    guard: Json | None = None
    volumes: Sequence[Json] = ()


def plan_of_proof(proof: ProofOfConcept, target: Target, run: Run) -> list[JsonObject]:
    """The script, the leave to reach the target and nothing else, and the Job, in the order in which they are made."""
    metadata = {"name": run.name, "namespace": run.namespace, "labels": dict(run.labels)}
    script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"script": proof.script}}
    return [script, _leave(target, run, metadata), _job(proof, target, run, metadata)]


def _leave(target: Target, run: Run, metadata: Json) -> JsonObject:
    """Policies add up: the arm's own denies all, this one allows the target; the arm's leave within itself passes it over."""
    to = {"to": [{"podSelector": {"matchLabels": dict(target.pods)}}], "ports": [{"port": target.pod_port}]}
    spec = {"podSelector": {"matchLabels": {SANDBOX: run.name}}, "policyTypes": ["Egress"], "egress": [to]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": dict(metadata), "spec": spec}


def _job(proof: ProofOfConcept, target: Target, run: Run, metadata: Json) -> JsonObject:
    template = {"metadata": {"labels": {**run.labels, SANDBOX: run.name}}, "spec": _pod(proof, target, run)}
    spec = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": 2 * run.fuse,
        "ttlSecondsAfterFinished": 2 * run.fuse,
        "template": template,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": dict(metadata), "spec": spec}


def _pod(proof: ProofOfConcept, target: Target, run: Run) -> JsonObject:
    spec: JsonObject = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": run.fuse,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "hostAliases": [{"ip": target.address, "hostnames": [target.host, *target.names]}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(proof, target)],
        "volumes": [
            {"name": "proof", "configMap": {"name": run.name, "defaultMode": 0o555}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
            *run.volumes,
        ],
    }
    if run.guard is not None:
        spec["initContainers"] = [dict(run.guard)]
    if run.runtime_class:
        spec["runtimeClassName"] = run.runtime_class
    return spec


def _container(proof: ProofOfConcept, target: Target) -> JsonObject:
    env = {
        "AEGIS_TARGET_HOST": target.host,
        "AEGIS_TARGET_PORT": str(target.port),
        "AEGIS_TARGET": f"{target.host}:{target.port}",
        "HOME": "/tmp",  # noqa: S108 - the proof's own, an emptyDir
    }
    return {
        "name": CONTAINER,
        "image": proof.image,
        "command": list(proof.command),
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "workingDir": "/tmp",  # noqa: S108 - the proof's own
        "volumeMounts": [
            {"name": "proof", "mountPath": FOLDER, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the proof's own
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


# ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def judged(proof: str, status: int | None, log: str, *, why: str = "", gaps: Sequence[str] = ()) -> Attempt:
    """What an end says.

    Args:
        proof: its name.
        status: its exit status; None where it did not end by itself.
        log: what it wrote.
        why: what else ended it.
        gaps: what did not hold it that should have.
    """
    known: dict[int | None, bool] = {EXPLOITED: True, HELD: False}
    exploitable = None if why else known.get(status)
    reason = "" if exploitable is not None else why or f"it ended with status {status}, which says nothing"
    return Attempt(
        proof=proof,
        exploitable=exploitable,
        reason=reason,
        status=status,
        evidence=evidence(log),
        gaps=tuple(gaps),
    )


def evidence(log: str) -> tuple[str, ...]:
    """The last lines of what a proof wrote: a few, short, without secrets and without what moves a cursor."""
    lines: list[Any] = [_CONTROL.sub("", line)[:_LINE] for line in redact_text(log[-LOG_BYTES:]).split("\n")]
    return tuple([line for line in lines if line.strip()][-_LINES:])
