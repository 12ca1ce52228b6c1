"""What may be written, when and where: pure, so that a table can test it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aegis.actuator.freeze import FreezeWindow
from aegis.actuator.powers import powers
from aegis.errors import Refused
from aegis.kube.patch import PatchError, apply_json_patch
from aegis.model.audit import AuditRecord
from aegis.model.changes import Apply, Change, Delete, JsonPatch, body_of
from aegis.model.redact import contains_mark
from aegis.model.refs import Json, ObjectRef
from aegis.ports import Mode, Purpose

PROTECTED: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "falco", "aegis-system"})
"""Namespaces that no fix touches."""

SHADOW_PREFIX: Final = "aegis-shadow-"
"""How the names of shadow namespaces begin."""
RERUN_PREFIX: Final = "aegis-rerun-"
"""How the names of Jobs begin that do once what a CronJob does."""

_DENIED_GROUPS: Final = frozenset({
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
})
_DENIED_KINDS: Final = frozenset({"Node", "PersistentVolume", "Namespace", "PriorityClass", "StorageClass"})
_SHADOW_KINDS: Final = frozenset({
    ("", "Namespace"),
    ("", "Pod"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("", "PersistentVolumeClaim"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("networking.k8s.io", "NetworkPolicy"),
})
_IMMUTABLE_SELECTOR: Final = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a person configured.

    Attributes:
        gitops_owner: who else owns an object, in words (`Argo CD application shop`); None: nobody.
        protected: namespaces that no fix touches.
        writes_per_hour: how many remediations may write to production within an hour, a cluster; None: any number.
        freezes: when production is left alone.
    """

    gitops_owner: Callable[[Json], str | None]
    protected: frozenset[str] = PROTECTED
    writes_per_hour: int | None = 3
    freezes: tuple[FreezeWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A write that somebody wants to make.

    Attributes:
        verb: `create`, `change` or `delete` (of the actuator's three methods).
        target: the object.
        content: the change, or the object to create; None for `delete`.
        live: the object as it is now; None where it is not there, or was not looked at (shadow, lease).
        purpose: why.
        precondition: the resourceVersion that the object must still have; empty: none.
        dry_run: whether the server is only asked.
        now: when.
    """

    verb: str
    target: ObjectRef
    content: Change | Json | None
    live: Json | None
    purpose: Purpose
    precondition: str
    dry_run: bool
    now: datetime


def refusal(attempt: Attempt, rules: Rules, mode: Mode, recent: Iterable[AuditRecord] = ()) -> Refused | None:
    """Why an attempt may not be made; None where it may.

    Args:
        attempt: what is wanted.
        rules: what is configured.
        mode: the kill switch.
        recent: audit records of the last hour (older ones are passed over), of this cluster.
    """
    checks = (_by_mode, _by_redaction, *_BY_PURPOSE[attempt.purpose.kind])
    for check in checks:
        found = check(attempt, rules, mode)
        if found:
            return found
    return _by_rate(attempt, rules, recent)


def _by_mode(attempt: Attempt, _rules: Rules, mode: Mode) -> Refused | None:
    match mode:
        case Mode.RUN:
            return None
        case Mode.OBSERVE if attempt.dry_run:
            return None
        case Mode.FROZEN if attempt.dry_run or attempt.purpose.kind in {"undo", "lease"} or _takes_own_down(attempt):
            return None
        case _:
            return Refused(f"the mode is {mode.value}: {attempt.target} is not written", hint="See `aegis mode show`.")


def _takes_own_down(attempt: Attempt) -> bool:
    """Whether it only removes what we made: else a shadow half done would stay for as long as the mode does."""
    own = {"shadow": "Namespace", "rerun": "Job"}
    return attempt.verb == "delete" and attempt.target.kind == own.get(attempt.purpose.kind)


def _by_redaction(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    content = attempt.content
    if contains_mark(body_of(content) if isinstance(content, Apply | JsonPatch) else content):
        return Refused(f"the content for {attempt.target} holds a redacted value, which must not be written")
    return None


def _by_namespace(attempt: Attempt, rules: Rules, _mode: Mode) -> Refused | None:
    namespace = attempt.target.namespace
    if not namespace:
        return Refused(f"{attempt.target} is cluster-scoped: no fix changes such an object")
    if namespace in rules.protected:
        return Refused(
            f"the namespace {namespace} is protected", hint="See `safety.protected_namespaces` in `aegis config`."
        )
    if namespace.startswith(SHADOW_PREFIX):
        return Refused(f"{namespace} is a shadow, not production")
    return None


def _by_kind(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    target = attempt.target
    if target.group in _DENIED_GROUPS or target.kind in _DENIED_KINDS:
        return Refused(f"a fix may not change objects of kind {target.kind}", hint="Make this change yourself.")
    return None


def _by_existence(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    if attempt.verb != "change" or isinstance(attempt.content, Delete):
        return Refused(
            f"production objects are never created or deleted ({attempt.target})", hint="Make this change yourself."
        )
    if attempt.live is None:
        return Refused(f"{attempt.target} is not there; a fix creates nothing")
    return None


def _by_precondition(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    if isinstance(attempt.content, Apply | JsonPatch) and not attempt.precondition and not attempt.dry_run:
        return Refused(f"{attempt.target}: a production write needs the resourceVersion that it was made for")
    return None


def _by_content(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    """New powers for pods, and selectors that decide which pods a workload owns."""
    live = attempt.live or {}
    match attempt.content:
        case Apply() as change:
            after: Any = body_of(change)
            selector = (change.patch.get("spec") or {}).get("selector", _selector(live))
        case JsonPatch() as change:
            try:
                after = apply_json_patch(live, body_of(change))
            except PatchError as error:
                return Refused(f"the patch does not fit {attempt.target} as it is now: {error}")
            selector = _selector(after)
        case _:
            return None
    gained = powers(after) - powers(live)
    if gained:
        return Refused(f"the fix gives the pods of {attempt.target} new powers: {', '.join(sorted(gained))}")
    if attempt.target.kind in _IMMUTABLE_SELECTOR and selector != _selector(live):
        return Refused(f"the fix changes the selector of {attempt.target}")
    return None


def _by_owner(attempt: Attempt, rules: Rules, _mode: Mode) -> Refused | None:
    if attempt.dry_run or attempt.live is None:
        return None
    owner = rules.gitops_owner(attempt.live)
    if owner:
        return Refused(f"{attempt.target} is owned by {owner}", hint="Hand the fix over with --emit DIR.")
    return None


def _by_freeze(attempt: Attempt, rules: Rules, _mode: Mode) -> Refused | None:
    if attempt.dry_run or _takes_own_down(attempt):
        return None
    for window in rules.freezes:
        if window.covers(attempt.now):
            return Refused(f"production is frozen ({window.text})", hint="Wait until the window ends.")
    return None


def _in_shadow(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    target, scope = attempt.target, attempt.purpose.scope
    strange = [name for name in scope if not name.startswith(SHADOW_PREFIX) or name == SHADOW_PREFIX]
    if strange:
        return Refused(f"{strange[0]} is no shadow: its name does not begin with {SHADOW_PREFIX}")
    where = target.name if target.kind == "Namespace" else target.namespace
    if where not in scope:
        return Refused(f"{target} is outside the shadow ({', '.join(scope) or 'no namespace'})")
    if (target.group, target.kind) not in _SHADOW_KINDS:
        return Refused(f"objects of kind {target.kind} have no place in a shadow")
    return None


def _is_lease(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    target = attempt.target
    if (target.group, target.kind) == ("coordination.k8s.io", "Lease") and target.name.startswith("aegis-"):
        return None
    return Refused(f"{target} is no lease of AEGIS")


def _is_rerun(attempt: Attempt, _rules: Rules, _mode: Mode) -> Refused | None:
    """A Job of ours that is exactly what its CronJob starts anyway: no new image, command or power."""
    target, scope = attempt.target, attempt.purpose.scope
    if (target.group, target.kind) != ("batch", "Job") or not target.name.startswith(RERUN_PREFIX) or len(scope) != 1:
        return Refused(f"{target} is no Job that repeats a CronJob")
    if attempt.verb == "delete":
        return None
    if attempt.verb != "create" or attempt.live is None:
        return Refused(f"the CronJob {scope[0]} is not there, so nothing is repeated")
    template = (attempt.live.get("spec") or {}).get("jobTemplate") or {}
    made = attempt.content if isinstance(attempt.content, Mapping) else {}
    if not template.get("spec") or made.get("spec") != template["spec"]:
        return Refused(f"{target} is not what the CronJob {scope[0]} starts")
    return None


def _by_rate(attempt: Attempt, rules: Rules, recent: Iterable[AuditRecord]) -> Refused | None:
    if attempt.purpose.kind != "production" or attempt.dry_run or rules.writes_per_hour is None:
        return None
    others = remediations_since(recent, attempt.now - timedelta(hours=1)) - {attempt.purpose.incident}
    if len(others) >= rules.writes_per_hour:
        return Refused(
            f"{len(others)} remediations wrote to production within the last hour; the limit is {rules.writes_per_hour}",
            hint="Wait, or raise `safety.writes_per_hour`.",
        )
    return None


def remediations_since(records: Iterable[AuditRecord], since: datetime) -> set[str]:
    """The incidents that set out to write to production since then."""
    return {
        record.incident
        for record in records
        if record.at > since
        and record.outcome == "intended"
        and record.detail.get("purpose") == "production"
        and not record.detail.get("dryRun")
    }


def _selector(obj: Json) -> Any:
    return (obj.get("spec") or {}).get("selector")


_Check = Callable[[Attempt, Rules, Mode], Refused | None]

_BY_PURPOSE: Final[dict[str, tuple[_Check, ...]]] = {
    "production": (
        _by_namespace,
        _by_kind,
        _by_existence,
        _by_precondition,
        _by_owner,
        _by_content,
        _by_freeze,
    ),
    "undo": (_by_namespace, _by_kind, _by_existence),
    "shadow": (_in_shadow,),
    "lease": (_is_lease, _by_namespace),
    "rerun": (_by_namespace, _is_rerun, _by_freeze),
}
