"""Scoring a manifest with Kubesec, from Python.

```python
result = await KubesecScanner().scan_manifest(Path("web.yaml").read_text())
if not result["passed"]:
    print(result["status"], result["reason"], result["critical_issues"])
```
"""

from __future__ import annotations

import os
from pathlib import Path

from aegis.model.refs import JsonObject
from aegis.model.scan import Manifests, ScanResult, ScanStatus
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk, ScanRules
from aegis.security.manifest_tools.kubesec_answer import NAME
from aegis.security.scanners.kubesec import PLUGIN
from aegis.security.strict_yaml import NotCanonical


class KubesecScanner:
    """Kubesec over every document and every kind that bears a pod."""

    def __init__(
        self, kubesec_path: str | Path | None = None, *, min_score: int = 0, timeout: float = 30.0, url: str = ""
    ) -> None:
        """Set how it is asked.

        Args:
            kubesec_path: the program; None: it is looked for on PATH.
            min_score: the lowest score that passes, for each object by itself.
            timeout: seconds that one run may take.
            url: a Kubesec server of one's own, to be asked instead; the public one is refused.
        """
        self._rules = ScanRules(
            programs={NAME: Path(kubesec_path)} if kubesec_path else {},
            timeouts={NAME: timeout},
            kubesec_min_score=min_score,
            kubesec_url=url,
        )

    async def scan_manifest(self, manifest_yaml: str) -> JsonObject:
        """Score all documents of a manifest.

        Args:
            manifest_yaml: YAML or JSON, one document or many.

        Returns:
            `passed` (true only where every pod was scored and nothing found), `skipped`, `status` (clean, findings,
            errored, skipped), `reason`, `score` (the lowest; None where nothing was scored),
            `min_score`, `critical_issues` (each with object, id, selector, reason, points), `advise` (sentences) and
            `objects` (each with object, score, critical, advise, trouble).
        """
        try:
            objects = canonicalise(manifest_yaml).plain
        except NotCanonical as error:
            return self._told(ScanStatus.ERROR, error.message)
        desk = Desk(rules=self._rules, path=os.pathsep.join(os.get_exec_path()))
        result = await PLUGIN.scan(Manifests(objects=objects), desk)
        return self._told(result.status, result.reason, result)

    def _told(self, status: ScanStatus, reason: str, result: ScanResult | None = None) -> JsonObject:
        details = result.details if result else {}
        objects = details.get("objects", [])
        return {
            "passed": status is ScanStatus.CLEAN,
            "skipped": status is ScanStatus.SKIPPED,
            "status": status.word,
            "reason": reason,
            "score": details.get("score"),
            "min_score": self._rules.kubesec_min_score,
            "critical_issues": [{"object": item["object"], **rule} for item in objects for rule in item["critical"]],
            "advise": details.get("advise", []),
            "objects": objects,
        }
