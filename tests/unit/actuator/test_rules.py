from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.actuator import Attempt, FreezeWindow, Rules, refusal
from aegis.model.audit import START, AuditRecord, seal
from aegis.model.changes import Apply, Change, Delete, Evict, JsonPatch
from aegis.model.refs import Json, ObjectRef
from aegis.ports import Mode, Purpose

NOW = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)  # a Wednesday
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
POD_SPEC: dict[str, Any] = {"containers": [{"name": "web", "image": "a", "ports": [{"containerPort": 80}]}]}
LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC},
    },
}


def _owner(obj: Json) -> str | None:
    owner = (obj.get("metadata") or {}).get("annotations", {}).get("owner")
    return str(owner) if owner else None


RULES = Rules(gitops_owner=_owner)


def _pods(spec: Mapping[str, Any]) -> Json:
    return {"spec": {"template": {"spec": spec}}}


def _container(**fields: Any) -> Json:
    return _pods({"containers": [{"name": "web", **fields}]})


def _apply(patch: Json, target: ObjectRef = WEB) -> Apply:
    return Apply(target=target, patch=patch)


def _ops(*operations: Json, target: ObjectRef = WEB) -> JsonPatch:
    return JsonPatch(target=target, patch=operations)


def _why(
    content: Change | Json | None,
    *,
    kind: Any = "production",
    verb: str = "change",
    live: Json | None = LIVE,
    mode: Mode = Mode.RUN,
    rules: Rules = RULES,
    scope: tuple[str, ...] = (),
    precondition: str = "7",
    dry_run: bool = False,
    target: ObjectRef | None = None,
    recent: tuple[AuditRecord, ...] = (),
    incident: str = "inc-now",
) -> str:
    if target is None:
        target = (
            content.target if isinstance(content, Apply | JsonPatch | Delete | Evict) else ObjectRef.of(content or {})
        )
    attempt = Attempt(
        verb=verb,
        target=target,
        content=content,
        live=live,
        purpose=Purpose(kind=kind, incident=incident, scope=scope),
        precondition=precondition,
        dry_run=dry_run,
        now=NOW,
    )
    found = refusal(attempt, rules, mode, recent)
    return found.message if found else ""


GOOD = _apply(_container(env=[{"name": "MODE", "value": "fast"}]))


def test_an_ordinary_fix_may_be_made() -> None:
    assert _why(GOOD) == ""
    assert _why(_ops({"op": "replace", "path": "/spec/replicas", "value": 2})) == ""
    pod = ObjectRef(api_version="v1", kind="Pod", name="p", namespace="shop")
    assert _why(Evict(target=pod, uid="u"), live={"kind": "Pod", "metadata": {}}) == ""


@pytest.mark.parametrize(
    ("mode", "kind", "dry_run", "allowed"),
    [
        (Mode.RUN, "production", False, True),
        (Mode.RUN, "undo", False, True),
        (Mode.OBSERVE, "production", False, False),
        (Mode.OBSERVE, "production", True, True),
        (Mode.OBSERVE, "undo", False, False),
        (Mode.FROZEN, "production", False, False),
        (Mode.FROZEN, "production", True, True),
        (Mode.FROZEN, "undo", False, True),
        (Mode.HARDSTOP, "production", True, False),
        (Mode.HARDSTOP, "undo", False, False),
        (Mode.HARDSTOP, "undo", True, False),
    ],
)
def test_modes(mode: Mode, kind: str, dry_run: bool, allowed: bool) -> None:
    why = _why(GOOD, kind=kind, mode=mode, dry_run=dry_run)
    assert (why == "") is allowed
    assert allowed or mode.value in why


@pytest.mark.parametrize("mode", list(Mode))
def test_modes_hold_for_shadows(mode: Mode) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aegis-shadow-1-r"}}
    why = _why(namespace, kind="shadow", verb="create", live=None, mode=mode, scope=("aegis-shadow-1-r",))
    assert (why == "") is (mode is Mode.RUN)


@pytest.mark.parametrize(
    ("mode", "allowed"), [(Mode.RUN, True), (Mode.OBSERVE, False), (Mode.FROZEN, True), (Mode.HARDSTOP, False)]
)
def test_a_frozen_automation_still_takes_its_shadows_down(mode: Mode, allowed: bool) -> None:
    shadow = ObjectRef(api_version="v1", kind="Namespace", name="aegis-shadow-1-r")
    why = _why(None, kind="shadow", verb="delete", live=None, mode=mode, scope=SCOPE, target=shadow)
    assert (why == "") is allowed


@pytest.mark.parametrize(
    "target",
    [
        ObjectRef(api_version="v1", kind="Namespace", name="shop"),
        ObjectRef(api_version="v1", kind="Namespace", name="aegis-shadow-2-r"),
        ObjectRef(api_version="evil/v1", kind="Namespace", name="aegis-shadow-1-r"),
        ObjectRef(api_version="v1", kind="ConfigMap", name="a", namespace="aegis-shadow-1-r"),
    ],
)
def test_a_frozen_automation_deletes_nothing_else(target: ObjectRef) -> None:
    assert _why(None, kind="shadow", verb="delete", live=None, mode=Mode.FROZEN, scope=SCOPE, target=target)
    assert "frozen" in _why(None, verb="delete", mode=Mode.FROZEN, target=target)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", "falco", "aegis-system"])
@pytest.mark.parametrize("kind", ["production", "undo"])
def test_protected_namespaces(namespace: str, kind: str) -> None:
    assert "protected" in _why(_apply({}, WEB.within(namespace)), kind=kind)


def test_a_shadow_is_not_production() -> None:
    assert "is a shadow" in _why(_apply({}, WEB.within("aegis-shadow-1-c")))


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace"),
    [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", ""),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", ""),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ""),
        ("rbac.authorization.k8s.io/v1", "Role", "shop"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "shop"),
        ("v1", "Node", ""),
        ("v1", "PersistentVolume", ""),
        ("v1", "Namespace", ""),
        ("v1", "Namespace", "shop"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", ""),
        ("apiregistration.k8s.io/v1", "APIService", ""),
    ],
)
@pytest.mark.parametrize("purpose", ["production", "undo"])
def test_denied_kinds(api_version: str, kind: str, namespace: str, purpose: str) -> None:
    target = ObjectRef(api_version=api_version, kind=kind, name="x", namespace=namespace)
    assert _why(_apply({}, target), live={"kind": kind, "metadata": {}}, kind=purpose)


@pytest.mark.parametrize(
    ("spec", "power"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath /"),
        ({"containers": [{"name": "web", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"containers": [{"name": "web", "securityContext": {"allowPrivilegeEscalation": True}}]}, "allowPrivilege"),
        ({"containers": [{"name": "web", "securityContext": {"procMount": "Unmasked"}}]}, "procMount"),
        (
            {"containers": [{"name": "web", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
            "capabilities SYS_ADMIN",
        ),
        ({"containers": [{"name": "web", "ports": [{"containerPort": 80, "hostPort": 80}]}]}, "hostPort 80"),
    ],
)
def test_new_powers(spec: Json, power: str) -> None:
    assert power in _why(_apply(_pods(spec)))
    live = {**LIVE, "spec": {**LIVE["spec"], "template": {"spec": spec}}}
    assert _why(_apply(_pods(spec)), live=live) == "", "what it has already is no new power"
    assert _why(_apply(_pods(spec)), kind="undo") == ""
    replaced = _ops({"op": "replace", "path": "/spec/template/spec", "value": spec})
    assert power in _why(replaced)


def test_powers_added_piece_by_piece() -> None:
    assert "privileged" in _why(
        _ops(
            {"op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value": {}},
            {"op": "add", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": True},
        )
    )


def test_powers_of_a_cron_job() -> None:
    target = ObjectRef(api_version="batch/v1", kind="CronJob", name="c", namespace="shop")
    spec = {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [], "hostPID": True}}}}}}
    assert "hostPID" in _why(_apply(spec, target), live={"kind": "CronJob", "metadata": {}})


def test_selectors() -> None:
    other = {"matchLabels": {"app": "x"}}
    assert "selector" in _why(_apply({"spec": {"selector": other}}))
    assert "selector" in _why(_ops({"op": "add", "path": "/spec/selector/matchLabels/b", "value": "c"}))
    assert _why(_apply({"spec": {"selector": LIVE["spec"]["selector"]}})) == ""
    service = ObjectRef(api_version="v1", kind="Service", name="web", namespace="shop")
    live = {"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"selector": {"app": "wbe"}}}
    assert _why(_apply({"spec": {"selector": {"app": "web"}}}, service), live=live) == ""
    assert _why(_ops({"op": "replace", "path": "/spec/selector/app", "value": "web"}, target=service), live=live) == ""


def test_a_patch_that_does_not_fit_is_refused() -> None:
    assert "does not fit" in _why(_ops({"op": "test", "path": "/spec/replicas", "value": 5}))


@pytest.mark.parametrize(
    ("content", "verb", "live", "words"),
    [
        (Delete(target=WEB, uid="u"), "change", LIVE, "never created or deleted"),
        (LIVE, "create", None, "never created or deleted"),
        (None, "delete", LIVE, "never created or deleted"),
        (GOOD, "change", None, "is not there"),
    ],
)
@pytest.mark.parametrize("kind", ["production", "undo"])
def test_production_is_never_created_or_deleted(content: Any, verb: str, live: Any, words: str, kind: str) -> None:
    assert words in _why(content, verb=verb, live=live, kind=kind, target=WEB)


def test_a_production_write_needs_its_precondition() -> None:
    assert "resourceVersion" in _why(GOOD, precondition="")
    assert _why(GOOD, precondition="", dry_run=True) == ""
    assert _why(_ops(), precondition="", kind="undo") == ""


def test_gitops_is_only_asked_never_written() -> None:
    live = {**LIVE, "metadata": {"annotations": {"owner": "Argo CD application shop"}}}
    assert "Argo CD application shop" in _why(GOOD, live=live)
    assert _why(GOOD, live=live, dry_run=True) == ""


def test_redacted_values_are_never_written() -> None:
    bad = _apply(_container(env=[{"name": "A", "value": "<redacted:value:123456>"}]))
    assert "redacted" in _why(bad)
    assert "redacted" in _why(bad, kind="undo")


@pytest.mark.parametrize(
    ("text", "frozen"),
    [
        ("Wed 11:00 - Wed 13:00 UTC", True),
        ("Wed 12:00 - Wed 12:01 UTC", True),
        ("Wed 11:00 - Wed 12:00 UTC", False),
        ("Fri 16:00 - Mon 08:00 UTC", False),
        ("Fri 16:00 - Thu 08:00 Europe/Berlin", True),
        ("11:30 - 12:30 UTC", True),
        ("23:00 - 06:00 UTC", False),
        ("21:00 - 23:00 Asia/Tokyo", True),
        ("2026-06-01 00:00 - 2026-07-01 00:00 UTC", True),
        ("2026-06-03 14:00 - 2026-06-03 15:00 Europe/Berlin", True),
        ("2025-06-01T00:00 - 2025-07-01T00:00 UTC", False),
    ],
)
def test_freeze_windows(text: str, frozen: bool) -> None:
    rules = Rules(gitops_owner=_owner, freezes=(FreezeWindow.parse(text),))
    assert ("frozen" in _why(GOOD, rules=rules)) is frozen
    assert _why(GOOD, rules=rules, dry_run=True) == ""
    assert _why(GOOD, rules=rules, kind="undo") == ""


def _records(*rows: tuple[str, timedelta, dict[str, Any]]) -> tuple[AuditRecord, ...]:
    return tuple(
        seal(
            START,
            at=NOW - age,
            actor="a",
            action="apply",
            outcome="intended",
            incident=incident,
            subject="",
            detail={"purpose": "production", "dryRun": False, **detail},
        )
        for incident, age, detail in rows
    )


def test_the_rate_counts_remediations_of_the_last_hour() -> None:
    minute = timedelta(minutes=1)
    three = _records(("i1", minute, {}), ("i2", 59 * minute, {}), ("i3", 5 * minute, {}))
    assert "limit is 3" in _why(GOOD, recent=three)
    assert _why(GOOD, recent=three, incident="i2") == "", "one that began may go on"
    assert _why(GOOD, recent=three, kind="undo") == ""
    assert _why(GOOD, recent=three, dry_run=True) == ""
    few = _records(
        ("i1", minute, {}),
        ("i1", minute, {}),
        ("i2", 61 * minute, {}),
        ("i3", minute, {"dryRun": True}),
        ("i4", minute, {"purpose": "shadow"}),
    )
    assert _why(GOOD, recent=few) == ""


SCOPE = ("aegis-shadow-1-r", "aegis-shadow-1-c")


@pytest.mark.parametrize(
    ("obj", "allowed"),
    [
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aegis-shadow-1-r"}}, True),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aegis-shadow-2-r"}}, False),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, False),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "namespace": SCOPE[1]}}, True),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "w", "namespace": SCOPE[1]}}, True),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "namespace": "shop"}}, False),
        ({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "w", "namespace": SCOPE[1]}}, False),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "w"}}, False),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": SCOPE[0], "namespace": SCOPE[0]}}, False),
        ({"apiVersion": "evil/v1", "kind": "Deployment", "metadata": {"name": "w", "namespace": SCOPE[1]}}, False),
        (
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "w", "namespace": SCOPE[0]},
            },
            False,
        ),
    ],
)
@pytest.mark.parametrize("verb", ["create", "delete"])
def test_shadows(obj: Json, allowed: bool, verb: str) -> None:
    content = obj if verb == "create" else None
    why = _why(content, kind="shadow", verb=verb, live=None, scope=SCOPE, target=ObjectRef.of(obj))
    assert (why == "") is allowed


@pytest.mark.parametrize("scope", [("shop",), ("aegis-shadow-",), (), ("kube-system", *SCOPE)])
def test_a_scope_that_is_no_shadow(scope: tuple[str, ...]) -> None:
    where = scope[0] if scope else "shop"
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": where}}
    assert _why(obj, kind="shadow", verb="create", live=None, scope=scope)


def test_leases() -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "aegis-x", "namespace": "a"}}
    assert _why(lease, kind="lease", verb="create", live=None) == ""
    assert _why({**lease, "kind": "ConfigMap"}, kind="lease", verb="create", live=None)
    assert _why({**lease, "metadata": {"name": "kubelet", "namespace": "a"}}, kind="lease", verb="create", live=None)


CRONJOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "backup", "namespace": "shop"},
    "spec": {"jobTemplate": {"spec": {"template": {"spec": POD_SPEC}}}},
}


def _rerun(spec: Json, name: str = "aegis-rerun-backup-1", **how: Any) -> str:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    return _why(job, **{"kind": "rerun", "verb": "create", "live": CRONJOB, "scope": ("backup",), **how})


def test_a_job_may_repeat_what_its_cronjob_does_and_nothing_else() -> None:
    same = CRONJOB["spec"]["jobTemplate"]["spec"]
    assert _rerun(same) == ""
    other = {"template": {"spec": {"containers": [{"name": "web", "image": "other"}]}}}
    assert "is not what the CronJob backup starts" in _rerun(other)
    assert "is no Job that repeats" in _rerun(same, name="backup-1")
    assert "is no Job that repeats" in _rerun(same, scope=())
    assert "is not there" in _rerun(same, live=None)
    assert "protected" in _rerun(same, rules=Rules(gitops_owner=_owner, protected=frozenset({"shop"})))
    assert "frozen" in _rerun(
        same, rules=Rules(gitops_owner=_owner, freezes=(FreezeWindow.parse("00:00 - 24:00 UTC"),))
    )
    assert _rerun(same, mode=Mode.FROZEN)


@pytest.mark.parametrize(
    ("mode", "allowed"), [(Mode.RUN, True), (Mode.OBSERVE, False), (Mode.FROZEN, True), (Mode.HARDSTOP, False)]
)
def test_a_job_that_repeats_is_removed_even_in_a_freeze(mode: Mode, allowed: bool) -> None:
    job = ObjectRef(api_version="batch/v1", kind="Job", name="aegis-rerun-backup-1", namespace="shop")
    rules = Rules(gitops_owner=_owner, freezes=(FreezeWindow.parse("00:00 - 24:00 UTC"),))
    why = _why(None, kind="rerun", verb="delete", target=job, live=None, scope=("backup",), mode=mode, rules=rules)
    assert (why == "") is allowed
