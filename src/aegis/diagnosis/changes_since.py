"""What changed since the last good revision: the ground of every roll-back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aegis.diagnosis.case import Case, cite
from aegis.diagnosis.history import Revision, available_until, current_revision, good_revisions, made_at
from aegis.diagnosis.mend import restore_template
from aegis.diagnosis.outcome import leaves
from aegis.model.changes import Fix
from aegis.model.diagnosis import Citation

_LONG_GOOD = timedelta(minutes=30)
_MOST_PATHS = 8
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The step from the last good revision to the current one.

    Attributes:
        good: the revision before.
        now: the current one.
        paths: what differs in the pod template.
        fix: back to the good one; None where the object cannot be changed so.
    """

    good: Revision
    now: Revision
    paths: tuple[str, ...]
    fix: Fix | None

    @property
    def what(self) -> str:
        """The paths as a person reads them."""
        more = len(self.paths) - _MOST_PATHS
        return ", ".join(self.paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The two revisions."""
        return (
            cite(self.now.node, f"revision {self.now.number}: {self.what} changed"),
            cite(self.good.node, f"revision {self.good.number}: {self.good.why}"),
        )


def recent_change(case: Case) -> Change | None:
    """The change that may have broken the workload; None where the current revision was good for long."""
    node = case.subject
    now = current_revision(case.graph, node)
    good = good_revisions(case.graph, node)
    if now is None or not good:
        return None
    since = made_at(now)
    until, still = available_until(node)
    long_good = not still and until is not None and since is not None and until - since > _LONG_GOOD
    if long_good and good[0].standing != "proven":
        return None
    was, is_now = dict(leaves(good[0].template)), dict(leaves(now.template))
    paths = sorted(path for path in {**was, **is_now} if was.get(path, _ABSENT) != is_now.get(path, _ABSENT))
    if not paths:
        return None
    return Change(good=good[0], now=now, paths=tuple(paths), fix=restore_template(case, node, good[0]))
