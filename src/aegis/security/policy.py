"""What security demands of a fix: it may not be worse than what it replaces. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from aegis.model.security import SecurityComparison, SecurityFinding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy:
    """The rule.

    Attributes:
        ceiling: no finding so severe may be there afterwards, whether new or old; None: only new ones count.
    """

    ceiling: Severity | None = None

    def objections(self, comparison: SecurityComparison) -> tuple[SecurityFinding, ...]:
        """The findings for which a change is refused: every new one, and those at the ceiling or above.

        A finding of unknown severity is never held to be harmless.
        """
        above = (item for item in comparison.after if self.ceiling is not None and _reaches(item, self.ceiling))
        return tuple({item.fingerprint: item for item in (*comparison.new, *above)}.values())


def _reaches(item: SecurityFinding, ceiling: Severity) -> bool:
    return item.severity is Severity.UNKNOWN or item.severity >= ceiling
