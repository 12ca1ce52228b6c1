"""`run_security_checks`: all scanners on a workload with changes that are proposed, as one call that needs no client.

It opens the default wiring itself: the settings of this user and the cluster that they name. It only reads. A trial
(`ShadowManager.run_verification`) does more: it runs the workload, and looks at what the API server made of the changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from aegis.drivers.kubernetes import connect
from aegis.kube.strategic import strategic_patch
from aegis.model.changes import Apply
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.report import SecurityReport
from aegis.model.scan import Runtime, Subject
from aegis.ports import ClusterReader
from aegis.security.canonical import canonical_objects
from aegis.security.pipeline import Rules, SecurityPipeline, configured
from aegis.security.waivers import Waiver


class Environment(Protocol):
    """What is asked of a shadow environment (`aegis.shadow.manager.ShadowEnvironment`)."""

    namespace: str
    source_namespace: str
    source_resource: str
    source_resource_kind: str
    created_at: datetime


async def run_security_checks(
    env: Environment,
    changes: Mapping[str, Any] | None = None,
    baseline: bool = False,  # noqa: FBT001, FBT002 - a signature that users know
) -> SecurityReport:
    """Let every scanner look at a workload: its manifests, its images, and what Falco saw in its shadow.

    Args:
        env: names the workload, and the shadow if there is one.
        changes: what is proposed, as `aegis.shadow.shorthand.changes_of` takes it.
        baseline: look at the workload as it is, without the changes and without the shadow.

    Returns:
        A report. That of changes is held against the workload as it is: what is new, or became worse, fails it.

    Raises:
        NotFound: if the workload is not there.
        UsageError: if the changes are of no known form, or the settings cannot be read.
        NotCanonical: if what is proposed can be read in two ways.
        Unavailable: if there is no cluster.
    """
    from aegis.settings import load

    loaded = load()
    async with connect(loaded.kube_options()) as reader:
        desk, rules = configured(loaded, reader=reader)
        before, after = await _subjects(reader, env, changes or {})
        pipeline = SecurityPipeline(desk, replace(rules, waivers=(*rules.waivers, _our_own())))
        if baseline:
            return await pipeline.check(before)
        return await pipeline.check((*after, *_window(env, rules)), baseline=before)


async def _subjects(
    reader: ClusterReader, env: Environment, changes: Mapping[str, Any]
) -> tuple[tuple[Subject, ...], tuple[Subject, ...]]:
    """The workload as it is, and with the changes."""
    from aegis.shadow.shorthand import changes_of
    from aegis.shadow.subjects import subjects_of

    cluster = await reader.cluster()
    kind = await reader.resolve(env.source_resource_kind)
    target = ObjectRef(
        api_version=kind.api_version, kind=kind.kind, name=env.source_resource, namespace=env.source_namespace
    )
    live: dict[ObjectRef, Json] = {target: await reader.get(target)}
    changed = dict(live)
    for change in changes_of(target, live[target], changes):
        if isinstance(change, Apply):
            found = await reader.find(change.target)
            if found is not None:
                live[change.target] = found
            changed[change.target] = _with(change, changed.get(change.target) or found or {})
    sides = (
        subjects_of(canonical_objects(side).plain, namespace=env.source_namespace, embedded=cluster.embedded)
        for side in (_whole(live), _whole(changed))
    )
    before, after = (side.all for side in sides)
    return before, after


def _with(change: Apply, obj: Json) -> JsonObject:
    """The object as a server would have it after the change; fields that it would default are not there."""
    ref = change.target
    named = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
    }
    return strategic_patch(ref.kind, strategic_patch(ref.kind, dict(obj), named), change.patch)


def _whole(objects: Mapping[ObjectRef, Json]) -> list[Json]:
    return [{"apiVersion": ref.api_version, "kind": ref.kind, **obj} for ref, obj in objects.items()]


def _our_own() -> Waiver:
    """What AEGIS did in a shadow to prove that it is cut off: Falco saw it, and it is shown as ours."""
    from aegis.shadow.isolation import PODS

    return Waiver(
        id="aegis-isolation",
        ids=frozenset(),
        paths=tuple(f"Pod/{name}" for name in PODS),
        sources=frozenset({"falco"}),
        owner="aegis",
        reason="AEGIS itself tried whether the shadow is cut off",
        expires=None,
    )


def _window(env: Environment, rules: Rules) -> Sequence[Runtime]:
    """What its shadow did so far; nothing where there is none."""
    if not env.namespace or env.namespace == env.source_namespace or "falco" in rules.off:
        return ()
    return (Runtime(namespace=env.namespace, since=env.created_at, until=datetime.now(UTC)),)
