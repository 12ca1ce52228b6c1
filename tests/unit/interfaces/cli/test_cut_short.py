"""What a person reads whose remediation was cut short."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.errors import NotFound, Unavailable
from aegis.interfaces.cli.cut_short import standing, told_where_it_stands
from aegis.model.incident import Incident, Phase
from aegis.model.refs import ObjectRef

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
INCIDENT = Incident(id="inc-1", cluster_uid="c", target=WEB, opened_at=datetime(2026, 3, 4, tzinfo=UTC))


class System:
    """A store with one incident, and a cluster that answers or not."""

    def __init__(self, shadows: list[str] | None) -> None:
        self.incidents = self.reader = self
        self._shadows = shadows

    async def list(self, *_: Any, **how: Any) -> Any:
        if "target" in how:
            return [replace(INCIDENT, phase=Phase.ANALYZING)]
        if self._shadows is None:
            raise Unavailable("gone")
        return [{"metadata": {"name": name}} for name in self._shadows]


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.ANALYZING, "production was not touched"),
        (Phase.AWAITING_APPROVAL, "production was not touched"),
        (Phase.APPLYING_FIX, "whether production was changed is established first"),
        (Phase.MONITORING, "production holds the change, and nobody watches it now"),
    ],
)
def test_it_says_how_production_stands_and_how_to_go_on(phase: Phase, said: str) -> None:
    words = standing(replace(INCIDENT, phase=phase), [])
    assert words == f"inc-1 stands at {phase.value}: {said}; `aegis fix Deployment/web -n shop` takes it up again."


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Unavailable("no connection")])
@pytest.mark.parametrize(
    ("shadows", "said"),
    [([], "again."), (["aegis-shadow-1-r"], "aegis-shadow-1-r is swept then"), (None, "what may be left")],
)
async def test_what_is_left_of_the_shadow_is_looked_at(
    error: BaseException, shadows: list[str] | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    system: Any = System(shadows)
    with pytest.raises(type(error)):
        async with told_where_it_stands(system, WEB):
            raise error
    assert said in capsys.readouterr().err


async def test_other_errors_and_good_ends_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    system: Any = System([])
    async with told_where_it_stands(system, WEB):
        pass
    with pytest.raises(NotFound):
        async with told_where_it_stands(system, WEB):
            raise NotFound("no such thing")
    assert capsys.readouterr().err == ""
