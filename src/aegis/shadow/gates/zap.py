"""Does ZAP's baseline scan find nothing in the running candidate that the last good revision does not show too?

After the load, so that nothing measured is disturbed; from within the arm, since nothing outside reaches it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from aegis.model.scan import ScanResult, ScanStatus, Tool, Url
from aegis.model.verdict import GateResult, Outcome
from aegis.security.zaproxy.judging import aligned
from aegis.shadow.case import Stage, Trial
from aegis.shadow.measuring import Side
from aegis.shadow.scanner_gate import noted, settled, switched_off
from aegis.shadow.scanning import Look, Looks
from aegis.shadow.zapping import ZapRules, scan_arm, urls

_MOST = 3
"""Services of one arm: each takes minutes."""

_NOT_THERE = re.compile(r"did not run: (?:ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull)")

_TOO_MANY = ScanResult(
    scanner="zap", status=ScanStatus.SKIPPED, tool=Tool(name="zap"), reason=f"no more than {_MOST} services are scanned"
)


class Zap:
    """A scan that follows links and attacks nothing."""

    name = "zap"
    required = False
    stage = Stage.AFTER
    order = 50
    weight = 0

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where nothing new was found; SKIPPED where nothing answers HTTP, or ZAP cannot be had."""
        rules = trial.tools.limits.security
        if self.name in rules.off:
            return noted(trial, switched_off(self.name), Looks())
        assert trial.measuring is not None  # noqa: S101 - this stage comes after the load
        candidate, good = trial.measuring.candidate, trial.measuring.good
        targets = urls(await candidate.checks())
        if not targets:
            reason = "the workload declares no TCP port, so there is nothing to scan"
            return noted(
                trial, GateResult(gate=self.name, outcome=Outcome.SKIPPED, required=False, reason=reason), Looks()
            )
        trial.tools.progress("scanning the fixed workload with zap", services=len(targets))
        how = ZapRules(image=rules.desk.rules.zap_image, seconds=rules.desk.rules.seconds(self.name))
        shared = [] if good is None else [url for url in urls(await good.checks()) if url in targets]
        async with asyncio.TaskGroup() as group:
            after = group.create_task(_scan(candidate, targets, how))
            before = None if good is None else group.create_task(_scan(good, shared, how))
        looks = Looks(before=before.result() if before else (), after=after.result())
        return settled(trial, self.name, comparable(looks))


async def _scan(side: Side, targets: Sequence[str], how: ZapRules) -> tuple[Look, ...]:
    found: list[Look] = []
    for number, url in enumerate(targets):
        subject = Url(url=url, namespace=side.place.namespace)
        result = _as_absent(await scan_arm(side.place, url, how)) if number < _MOST else _TOO_MANY
        found.append(Look(subject=subject, result=result))
    return tuple(found)


def comparable(looks: Looks) -> Looks:
    """The looks, those at one service with their findings so that they compare; a service is called alike in both arms."""
    before = {_url(look): look for look in looks.before}
    after = {_url(look): look for look in looks.after}
    for url in before.keys() & after.keys():
        was, now = aligned(before[url].result, after[url].result)
        before[url], after[url] = replace(before[url], result=was), replace(after[url], result=now)
    return Looks(before=tuple(before.values()), after=tuple(after.values()))


def _url(look: Look) -> str:
    return look.subject.url if isinstance(look.subject, Url) else ""


def _as_absent(result: ScanResult) -> ScanResult:
    """A cluster that cannot pull ZAP's image has no ZAP: that is a gap, and no failure of a tool that is there."""
    if result.status is not ScanStatus.ERROR or not _NOT_THERE.search(result.reason):
        return result
    reason = f"{result.reason}; let the cluster pull it, set security.zap_image, or switch security.zap_enabled off"
    return replace(result, status=ScanStatus.SKIPPED, reason=reason, tool=replace(result.tool, absent=reason))


PLUGIN = Zap()
