"""What is said where a remediation is cut short: how far it came, and that the same command takes it up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aegis.errors import AegisError, Unavailable
from aegis.model.incident import Incident, Phase

if TYPE_CHECKING:
    from aegis.model.refs import ObjectRef
    from aegis.wiring import System

_LOOK_SECONDS = 3.0

_PRODUCTION = {
    Phase.APPLYING_FIX: "whether production was changed is established first",
    Phase.MONITORING: "production holds the change, and nobody watches it now",
}


@asynccontextmanager
async def told_where_it_stands(system: System, target: ObjectRef) -> AsyncIterator[None]:
    """Say how far the remediation of the target came, if the block is cancelled or the cluster vanishes.

    Raises:
        CancelledError: if it was cancelled.
        Unavailable: if the cluster vanished.
    """
    try:
        yield
    except (asyncio.CancelledError, Unavailable):
        for incident in await system.incidents.list(target=target, open_only=True):
            left = await _left_of(system, incident)
            sys.stderr.write(f"aegis: {standing(incident, left)}\n")
        raise


def standing(incident: Incident, left: list[str] | None) -> str:
    """How far an incident came, in words.

    Args:
        incident: as it is stored.
        left: namespaces of its shadow that are still there; None where nobody could look.
    """
    target = incident.target
    shadow = ""
    if left is None:
        shadow = "; what may be left of its shadow is swept then"
    elif left:
        shadow = f"; {', '.join(left)} is swept then"
    production = _PRODUCTION.get(incident.phase, "production was not touched")
    again = f"aegis fix {target.kind}/{target.name} -n {target.namespace}"
    return f"{incident.id} stands at {incident.phase.value}: {production}; `{again}` takes it up again{shadow}."


async def _left_of(system: System, incident: Incident) -> list[str] | None:
    from aegis.shadow.namespace import INCIDENT

    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            found = await system.reader.list("v1", "Namespace", labels=f"{INCIDENT}={incident.id}")
    except (AegisError, TimeoutError):
        return None
    return [str(one["metadata"]["name"]) for one in found]
