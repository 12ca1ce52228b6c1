"""What a kind can say and no controller here keeps: refused by name, rather than accepted without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.refusals import Unimplemented

_OF_JOBS = ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")


class Unkept:
    """Answers 501 to a Job whose end would follow rules that the Job controller here does not have."""

    def mutate(self, request: Request) -> None:
        """Nothing to change."""

    def judge(self, request: Request) -> None:
        """Look for such rules.

        Raises:
            Unimplemented: there is one.
        """
        if request.subresource or request.operation != "CREATE":
            return
        spec: Mapping[str, Any] = request.new.get("spec") or {}
        if request.resource.full_name == "cronjobs.batch":
            spec = (spec.get("jobTemplate") or {}).get("spec") or {}
        elif request.resource.full_name != "jobs.batch":
            return
        for name in _OF_JOBS:
            if spec.get(name) is not None:
                raise Unimplemented(f"{name} of Jobs")
