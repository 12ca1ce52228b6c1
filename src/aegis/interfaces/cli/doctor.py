"""`aegis doctor`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aegis.errors import AegisError, UsageError
from aegis.interfaces.cli.doctor_finding import Finding
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit
from aegis.interfaces.cli.session import namespace_of, run_async, settings_of
from aegis.ports import Access, ClusterReader

if TYPE_CHECKING:
    from aegis.settings import LoadedSettings, Settings
    from aegis.wiring import System

_OLDEST_PYTHON = (3, 11)
_READ = (
    "pods", "pods/log", "events", "services", "configmaps", "deployments.apps", "replicasets.apps",
    "endpointslices.discovery.k8s.io", "namespaces", "nodes",
)  # fmt: skip
_MADE_IN_A_SHADOW = (
    "namespaces", "pods", "configmaps", "secrets", "services", "serviceaccounts", "resourcequotas", "limitranges",
    "deployments.apps", "networkpolicies.networking.k8s.io",
)  # fmt: skip
_ADDRESSES = ("10.255.0.1",)
_NAMESPACES = "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or use a real cluster."
_MENDED = ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "services", "configmaps")


@make("doctor", examples="aegis doctor\naegis doctor -n shop -o json\naegis doctor --context staging")
@click.pass_obj
def command(options: Globals) -> int:
    """Say what is installed, reachable, permitted and enforced, each finding with its remedy.

    Ends with 1 if something that AEGIS needs is missing.
    """
    findings = run_async(_examine(options), options)
    result = document("Doctor", items=[finding.to_dict() for finding in findings])
    emit(options, result, lambda: _table(findings))
    return 1 if any(finding.status == "missing" for finding in findings) else 0


async def _examine(options: Globals) -> list[Finding]:
    findings = [_python()]
    try:
        loaded = settings_of(options)
    except UsageError as error:
        return [*findings, _missing("settings", error)]
    findings += [Finding(check="settings", status="ok", detail="read"), *_state(loaded)]
    findings.append(await _local())
    findings += await _scanners(loaded)
    return findings + await _cluster(options, loaded)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= _OLDEST_PYTHON:
        return Finding(check="python", status="ok", detail=version)
    return Finding(check="python", status="missing", detail=version, remedy="Install Python 3.11 or newer.")


def _state(loaded: LoadedSettings) -> Iterator[Finding]:
    from aegis.ports import Mode
    from aegis.wiring import Places, audit_log, automation_mode

    places = Places(folder=loaded.settings.state.folder)
    try:
        fault = audit_log(places).verify()
        mode = automation_mode(places).setting()
    except AegisError as error:
        yield _missing("state folder", error)
        return
    yield Finding(check="state folder", status="ok", detail=str(places.folder))
    if fault is None:
        yield Finding(check="audit log", status="ok", detail="whole")
    else:
        remedy = "Keep it as it is, find out who touched it, then begin a new one in another state.folder."
        yield Finding(check="audit log", status="missing", detail=fault.message, remedy=remedy)
    if mode.mode is Mode.RUN:
        yield Finding(check="mode", status="ok", detail="run")
    else:
        remedy = "aegis mode set run --reason …"
        yield Finding(check="mode", status="warning", detail=f"{mode.mode.value}: {mode.reason}", remedy=remedy)


async def _scanners(loaded: LoadedSettings) -> list[Finding]:
    from aegis.interfaces.cli.doctor_scanners import scanners

    return await scanners(loaded)


async def _local() -> Finding:
    """What the embedded cluster can do on this machine: found by trying."""
    from aegis.localcluster.kubelet.runtime import start_runtime
    from aegis.localcluster.kubelet.sandbox.channel import SandboxError

    with tempfile.TemporaryDirectory(prefix="aegis-doctor-") as folder:
        try:
            runtime, can = await start_runtime(Path(folder), "auto", _ADDRESSES)
        except (SandboxError, OSError) as error:
            return Finding(check="local cluster", status="warning", detail=str(error), remedy=_NAMESPACES)
        await runtime.stop()
    if can.mode == "namespaces":
        return Finding(check="local cluster", status="ok", detail="pods run in kernel namespaces of their own")
    return Finding(check="local cluster", status="warning", detail="pods run as plain processes", remedy=_NAMESPACES)


async def _cluster(options: Globals, loaded: LoadedSettings) -> list[Finding]:
    from aegis.wiring import connected

    try:
        async with connected(loaded, as_user=options.as_user, only_read=True) as system:
            examined = [*_reached(system), *await _permissions(options, system), *_enforced(system)]
            return [*examined, await falco(system.reader, system.settings)]
    except AegisError as error:
        return [_missing("cluster", error, remedy="Point --kubeconfig or --context to one, or: aegis local up.")]


def _reached(system: System) -> Iterator[Finding]:
    cluster = system.cluster
    detail = f"{cluster.context or 'in the cluster'} at {cluster.server}, {cluster.version}, as {system.user.name}"
    yield Finding(check="cluster", status="ok", detail=detail)


async def _permissions(options: Globals, system: System) -> list[Finding]:
    """Every verb that a remediation will need, asked of the API server."""
    namespace = namespace_of(options, system)
    wanted = {
        "analyze": [Access(verb="list", resource=name, namespace=namespace) for name in _READ],
        "shadow": [
            Access(verb=verb, resource=name) for name in _MADE_IN_A_SHADOW for verb in ("create", "patch", "delete")
        ],
        "apply": [Access(verb="patch", resource=name, namespace=namespace) for name in _MENDED],
        "apart": [
            Access(verb=verb, resource="leases.coordination.k8s.io", namespace=namespace)
            for verb in ("get", "list", "create", "patch", "delete")
        ],
    }
    wanted["analyze"] = [_get_logs(access) for access in wanted["analyze"]]
    return [await _permitted(system, purpose, accesses) for purpose, accesses in wanted.items()]


def _get_logs(access: Access) -> Access:
    if access.resource != "pods/log":
        return access
    return Access(verb="get", resource=access.resource, namespace=access.namespace)


async def _permitted(system: System, purpose: str, wanted: Iterable[Access]) -> Finding:
    accesses = list(wanted)
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(system.reader.allowed(access)) for access in accesses]
    refused = [access for access, answer in zip(accesses, answers, strict=True) if not answer.result()]
    check = f"permissions: {purpose}"
    if not refused:
        return Finding(check=check, status="ok", detail=f"all {len(accesses)} are given")
    names = ", ".join(f"{access.verb} {access.resource}" for access in refused)
    where = refused[0].namespace or "the whole cluster"
    remedy = f"Ask for a role in {where} that allows them (or look at another namespace with -n)."
    return Finding(check=check, status="missing", detail=f"not permitted: {names}", remedy=remedy)


def _enforced(system: System) -> Iterator[Finding]:
    cluster = system.cluster
    if cluster.gaps:
        remedy = "A trial here counts these as gaps; use a real cluster where they matter."
        yield Finding(check="enforcement", status="warning", detail="; ".join(cluster.gaps), remedy=remedy)
        return
    detail = "NetworkPolicy and Pod Security are proved anew in each trial, before anything is copied into the shadow"
    yield Finding(check="enforcement", status="ok", detail=detail)


async def falco(reader: ClusterReader, settings: Settings) -> Finding:
    """Whether Falco is there, and which nodes it watches: what a fix does elsewhere is not seen in a trial."""
    from aegis.evidence.falco import find_falco
    from aegis.wiring import falco_rules

    rules = falco_rules(settings)
    if not rules.enabled:
        return _unwatched("switched off: security.falco_enabled", "AEGIS_SECURITY__FALCO_ENABLED=true")
    try:
        found = await find_falco(reader, rules.place)
        nodes = {str(node["metadata"]["name"]) for node in await reader.list("v1", "Node")}
        namespaces = {one.namespace for one in found.sentries}
        logs = [Access(verb="get", resource="pods/log", namespace=namespace) for namespace in sorted(namespaces)]
        refused = [access.namespace for access in logs if not await reader.allowed(access)]
    except AegisError as error:
        return _unwatched(error.message, "Set security.falco_namespace, or ask for a role that lists pods everywhere.")
    if not found.sentries:
        remedy = "Install Falco's chart, or say where it is: security.falco_namespace, security.falco_label_selector."
        return _unwatched("not found: a trial says nothing of what a fix does at run time", remedy)
    if refused:
        return _unwatched(f"{found}; not permitted: get pods/log in {', '.join(refused)}", "Ask for a role there.")
    watched = {one.node for one in found.sentries if one.ready_since is not None}
    detail = f"{found}, watching {len(nodes & watched)} of {len(nodes)} nodes"
    if blind := sorted(nodes - watched):
        remedy = f"Have it run, and be ready, on {', '.join(blind[:5])}: a trial with pods there is inconclusive."
        return _unwatched(detail, remedy)
    return Finding(check="falco", status="ok", detail=detail)


def _unwatched(detail: str, remedy: str) -> Finding:
    return Finding(check="falco", status="warning", detail=detail, remedy=remedy)


def _missing(check: str, error: AegisError, remedy: str = "") -> Finding:
    return Finding(check=check, status="missing", detail=error.message, remedy=remedy or error.hint)


def _table(findings: list[Finding]) -> str:
    marks = {"ok": "ok", "warning": "warning", "missing": "MISSING"}
    rows = [(finding.check, marks[finding.status], finding.detail) for finding in findings]
    remedies = [f"{finding.check}: {finding.remedy}" for finding in findings if finding.remedy]
    return "\n".join([columns(("what", "status", "seen"), rows), *(["", "What to do:"] if remedies else []), *remedies])
