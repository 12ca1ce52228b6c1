"""A fix that a person or a program brings: held against what no fix may do, and bound to what its objects hold now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from aegis.delivery.given import objections, unexplained, untriable
from aegis.errors import NotFound, PermissionDenied, Refused, UsageError
from aegis.flows.remediation import Reading, given_fix
from aegis.model.changes import Change, Fix, within
from aegis.model.refs import ObjectRef

_CLUSTER_SCOPED: Final = "-"
"""The namespace that a driver gives a kind that lives in none."""

_VALUES_STAND_IN: Final = (
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "ControllerRevision"),
    ("batch/v1", "CronJob"),
)


async def checked_fix(tools: Reading, changes: Sequence[Change], namespace: str, *, only_tried: bool = False) -> Fix:
    """The fix that these changes are, if it may be tried.

    Args:
        tools: what to read the cluster with.
        changes: what it does; kinds may be spelled as kubectl takes them.
        namespace: the one that it may touch.
        only_tried: it is tried in a shadow and then forgotten: the trial says what is wrong with it, not a rule.

    Raises:
        UsageError: if an object lies elsewhere, or there is no change, or two of one object.
        NotFound: if an object is not there.
        Refused: if it does what no fix may do.
    """
    resolved = [await _resolved(tools, change) for change in changes]
    _permit([said for change in resolved if (said := untriable(change.target))])
    if elsewhere := [change.target for change in resolved if change.target.namespace != namespace]:
        raise UsageError(f"{elsewhere[0]} is outside the namespace {namespace}", hint="A trial covers one namespace.")
    live = [await _there(tools, change.target) for change in resolved]
    fix = await given_fix(tools, resolved)
    assert fix.change_set is not None  # noqa: S101 - a given fix is its changes
    if only_tried:
        return fix
    _permit(objections(fix.change_set, live))
    doubts = unexplained(fix.change_set, live, await _where_values_stand(tools, namespace))
    return await given_fix(tools, resolved, doubts=doubts) if doubts else fix


def _permit(objections: list[str]) -> None:
    """Go on only where nothing is said against a given fix.

    Raises:
        Refused: with all that is.
    """
    if objections:
        raise Refused(f"the given fix is not permitted: {'; '.join(objections[:10])}", hint="Change the fix.")


async def _where_values_stand(tools: Reading, namespace: str) -> list[Any]:
    """What of a namespace may hold the values of a workload, now and before; what may not be read tells nothing."""
    found: list[Any] = []
    for api_version, kind in _VALUES_STAND_IN:
        try:
            found += await tools.reader.list(api_version, kind, namespace=namespace)
        except PermissionDenied:
            continue
    # A ControllerRevision holds a former template of a StatefulSet or a DaemonSet as its data.
    return [{**one, "spec": one["data"].get("spec")} if "revision" in one and one.get("data") else one for one in found]


async def _resolved(tools: Reading, change: Change) -> Change:
    """With the apiVersion and the kind as the server spells them."""
    target = change.target
    if not target.api_version:
        known = await tools.reader.resolve(target.kind)
        namespace = "" if known.namespace == _CLUSTER_SCOPED else target.namespace
        target = replace(known, name=target.name, namespace=namespace)
    return within(replace(change, target=target), target.namespace)


async def _there(tools: Reading, ref: ObjectRef) -> Any:
    try:
        return await tools.reader.get(ref)
    except NotFound as error:
        raise NotFound(f"the given fix changes {ref}, which is not there", hint="Correct its target.") from error
