"""What one step of a remediation came to: the only things that move an incident on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from aegis.delivery.regression import Aftermath
from aegis.model.changes import Fix
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.health import Health
from aegis.model.incident import Approval, Handoff, Undo
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Somebody looks at the incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyzed:
    """The evidence was read and explained."""

    evidence: tuple[Evidence, ...]
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True, kw_only=True)
class FixChosen:
    """Which of the fixes is to be tried."""

    fix: Fix


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReserved:
    """The shadow has its name; nothing of it was made yet; `stood` is what it will be made after."""

    shadow_id: str
    stood: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSwept:
    """What a trial that was cut off left behind is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The trial is over."""

    verdict: Verdict
    security: SecurityComparison | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The approval is asked for."""

    nonce: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A person said yes to exactly what was shown."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A person said no."""

    by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The approval was not given, or not used, in time."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPrepared:
    """How to go back is known; production was not touched yet."""

    undo: Undo
    baseline: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Production holds the fix."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfApplied:
    """Of several changes some were made and one was refused: what was made must go back. `at` is when that was seen."""

    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The watch after the change is over."""

    aftermath: Aftermath
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """Production is as it was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOff:
    """The fix lies in files for its owner."""

    handoff: Handoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """It cannot go on: `reason` is a word for the incident's reason, `message` says it to a person."""

    reason: str
    message: str


Event = (
    Begun
    | Analyzed
    | FixChosen
    | ShadowReserved
    | ShadowSwept
    | Tried
    | Asked
    | Approved
    | Declined
    | Expired
    | UndoPrepared
    | Applied
    | HalfApplied
    | Watched
    | RolledBack
    | HandedOff
    | Stopped
)
