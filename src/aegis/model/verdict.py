"""Four-valued gates and the verdict that comes from them. Not run is not passed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aegis.model.refs import JsonObject


class Outcome(StrEnum):
    """How a gate ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    ERRORED = "ERRORED"


class Decision(StrEnum):
    """What a trial says; only ACCEPT is ever applied."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate saw.

    Attributes:
        gate: its name, as `reproduction`.
        outcome: how it ended.
        required: whether ACCEPT needs it to pass.
        reason: one sentence; for SKIPPED and ERRORED why.
        measured: what was measured, in `unit`; None where nothing was.
        threshold: what `measured` was held against.
        unit: of both.
        coverage: what was looked at, in words: `5 of 5 pods, 180 s`.
        weight: its share of the score, 0 for a veto.
        inconclusive: it ran, and what it saw decides neither way (too little traffic, not reproduced).
    """

    gate: str
    outcome: Outcome
    required: bool
    reason: str = ""
    measured: float | None = None
    threshold: float | None = None
    unit: str = ""
    coverage: str = ""
    weight: int = 0
    inconclusive: bool = False

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes an item of `gates`."""
        return {
            "gate": self.gate,
            "outcome": self.outcome.value,
            "required": self.required,
            "reason": self.reason,
            "measured": self.measured,
            "threshold": self.threshold,
            "unit": self.unit,
            "coverage": self.coverage,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision over a trial.

    Attributes:
        decision: ACCEPT, REJECT or INCONCLUSIVE.
        reason: a word for the phase's reason: `Accepted`, `GateRejected`, `NotReproduced`, `Infrastructure`, `Inconclusive`.
        score_low: the score if everything open had failed, 0 to 1.
        score_high: the score if everything open had passed, 0 to 1.
        gates: every gate, in the order in which they ran.
        gaps: what the trial could not cover, in words.
    """

    decision: Decision
    reason: str
    score_low: float
    score_high: float
    gates: tuple[GateResult, ...]
    gaps: tuple[str, ...] = ()

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes `verdict`."""
        return {
            "decision": self.decision.value,
            "score": [round(self.score_low, 4), round(self.score_high, 4)],
            "gates": [gate.to_dict() for gate in self.gates],
            "gaps": list(self.gaps),
        }
