"""ZAP's baseline scan by a daemon's HTTP API: spider, wait for the passive scan, read alerts and counts.

The daemon is AEGIS's own: each scan begins a new session in it, since what an earlier one left would be taken for this one's.
Its answers are put into the shape of ZAP's own report, so that they are judged as one; the API has no insights, so that
the counts of status codes behind them are read.
Source: ZAP's API (`core`, `spider`, `pscan`, `alert`, `stats`), as its add-ons document it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from aegis.drivers.http import HttpClient, HttpOptions, open_http
from aegis.drivers.shielding import shielded
from aegis.errors import AegisError
from aegis.model.redact import redact_text
from aegis.model.refs import Json, JsonObject
from aegis.model.scan import ScanStatus
from aegis.security.desk import ScanRules
from aegis.security.zaproxy.report import check_url, is_loopback, plain, same_site
from aegis.security.zaproxy.taken import NoReport, Taken

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_REQUEST = 60.0
_STOP = 5.0
_SPIDER_SHARE = 0.5
"""Of the time, for the spider; then it is stopped, and what it met is looked at: as the baseline scan's `-m` does."""

_PERCENT = 100
_PAGE, _MOST_ALERTS = 500, 20_000
_RISKS = {"High": "3", "Medium": "2", "Low": "1", "Informational": "0"}
_CONFIDENCES = {"False Positive": "0", "Low": "1", "Medium": "2", "High": "3", "Confirmed": "4", "User Confirmed": "4"}
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One scan at a time: two of one process in one daemon would end each other's sessions."""


async def scan_by_daemon(target: str, rules: ScanRules, seconds: float) -> Taken:
    """Have a daemon scan.

    Args:
        target: a URL that is reachable from the daemon.
        rules: where the daemon is, and its key.
        seconds: for all of it.

    Raises:
        NoReport: there is none; it says how that counts.
    """
    url = rules.zap_api_url
    if why := check_url(url):
        raise NoReport(ScanStatus.ERROR, f"security.zap_api_url: {why}")
    if rules.zap_api_key and url.startswith("http:") and not is_loopback(url):
        raise NoReport(ScanStatus.ERROR, "the key of the ZAP daemon is not sent in the clear: use https")
    headers = {"X-ZAP-API-Key": rules.zap_api_key} if rules.zap_api_key else {}
    options = HttpOptions(url=url, headers=headers, timeout=_REQUEST, name=f"the ZAP daemon at {url}")
    try:
        async with asyncio.timeout(seconds), _turn(), open_http(options) as http:
            return await _Scan(api=_Api(http=http), target=target).run(seconds)
    except TimeoutError:
        raise NoReport(ScanStatus.TIMEOUT, f"the ZAP daemon at {url} did not end within {seconds:g} s") from None
    except AegisError as error:
        raise NoReport(ScanStatus.ERROR, error.message) from error


def _turn() -> asyncio.Lock:
    return _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    """Questions to the daemon."""

    http: HttpClient

    async def __call__(self, path: str, **parameters: str) -> JsonObject:
        """The answer to `COMPONENT/view|action/NAME`.

        Raises:
            NoReport: it is none.
        """
        try:
            body = await self.http.post(f"/JSON/{path}/", parameters)
            found = json.loads(body)
        except AegisError as error:
            raise NoReport(ScanStatus.ERROR, redact_text(plain(error.message)[:500])) from error
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NoReport(ScanStatus.ERROR, f"the ZAP daemon's answer to {path} is no JSON object")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """One scan in the daemon."""

    api: _Api
    target: str

    async def run(self, seconds: float) -> Taken:
        version = str((await self.api("core/view/version")).get("version") or "")
        await self.api("core/action/newSession", name="", overwrite="true")
        await self.api("stats/action/clearStats", keyPrefix="stats.")
        await self.api("core/action/accessUrl", url=self.target, followRedirects="true")
        notes = await self._spider(seconds * _SPIDER_SHARE)
        await self._until(0, "pscan/view/recordsToScan", "recordsToScan")
        report = await self._report(version)
        return Taken(data=json.dumps(report).encode(), notes=tuple(notes))

    async def _spider(self, seconds: float) -> list[str]:
        """Follow links; where the time for that is up, or this scan is given up, the daemon's spider is stopped."""
        started = await self.api("spider/action/scan", url=self.target, recurse="true")
        scan = str(started.get("scan") or "0")
        try:
            async with asyncio.timeout(seconds):
                await self._until(_PERCENT, "spider/view/status", "status", scanId=scan)
        except TimeoutError:
            return [f"the spider was stopped after {seconds:g} s"]
        finally:
            await shielded(self._stop(scan))
        return []

    async def _until(self, wanted: int, path: str, key: str, **parameters: str) -> None:
        """Ask again and again, until a number in the answer is the wanted one."""
        pause = _FIRST_PAUSE
        while True:
            if _count(await self.api(path, **parameters), key) == wanted:
                return
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    async def _stop(self, scan: str) -> None:
        try:
            async with asyncio.timeout(_STOP):
                await self.api("spider/action/stop", scanId=scan)
        except (TimeoutError, NoReport):
            return

    async def _report(self, version: str) -> JsonObject:
        """What the daemon knows, in the shape of ZAP's report."""
        parts = urlsplit(self.target)
        site = f"{parts.scheme}://{parts.netloc}"
        met = await self.api("core/view/urls", baseurl=site)
        urls = [url for url in _texts(met.get("urls")) if same_site(url, site)]
        codes = _codes(await self.api("stats/view/siteStats", site=site, keyPrefix="stats.code."))
        network = (await self.api("stats/view/stats", keyPrefix="stats.network.send.")).get("stats")
        return {
            "@version": version,
            "site": [{"@name": site, "alerts": _rules(await self._alerts(site))}] if urls else [],
            "insights": [*_shares(site, codes, total=len(urls)), *_failures(network)],
        }

    async def _alerts(self, site: str) -> list[Json]:
        found: list[Json] = []
        while len(found) < _MOST_ALERTS:
            page = await self.api("alert/view/alerts", baseurl=site, start=str(len(found)), count=str(_PAGE))
            alerts = page.get("alerts")
            if not isinstance(alerts, list):
                raise NoReport(ScanStatus.ERROR, "the ZAP daemon's answer holds no list of alerts")
            found += [one for one in alerts if isinstance(one, dict)]
            if len(alerts) < _PAGE:
                break
        return found


def _rules(alerts: Sequence[Json]) -> list[JsonObject]:
    """Alerts, one a place, as the report has them: one a rule, with its places."""
    rules: dict[tuple[str, ...], JsonObject] = {}
    for one in alerts:
        ref = str(one.get("alertRef") or one.get("pluginId") or "")
        risk, confidence = str(one.get("risk")), str(one.get("confidence"))
        rule = rules.setdefault(
            (ref, risk, confidence),
            {
                "alertRef": ref,
                "name": one.get("name") or one.get("alert"),
                "riskcode": _RISKS.get(risk, risk),
                "confidence": _CONFIDENCES.get(confidence, confidence),
                "desc": one.get("description"),
                "solution": one.get("solution"),
                "reference": one.get("reference"),
                "cweid": one.get("cweid"),
                "instances": [],
            },
        )
        keys = ("nodeName", "method", "param", "evidence")
        rule["instances"].append({"uri": one.get("url"), **{key: one.get(key) for key in keys}})
    return list(rules.values())


def _codes(answer: Json) -> Mapping[str, int]:
    """How many answers of each hundred; the answer names the site and holds a list of counts."""
    counts: dict[str, int] = {}
    for held in answer.values():
        for group in held if isinstance(held, list) else []:
            for key, value in group.items() if isinstance(group, dict) else ():
                number = _whole(value)
                hundred = str(key).removeprefix("stats.code.")[:1]
                counts[hundred] = counts.get(hundred, 0) + number
    return counts


def _shares(site: str, codes: Mapping[str, int], *, total: int) -> list[JsonObject]:
    """What the insights add-on would say: whole percents, and nothing below one."""
    answers = sum(codes.values())
    said = [{"key": "insight.endpoint.total", "site": site, "statistic": str(total)}] if total and answers else []
    for hundred, count in sorted(codes.items()):
        if count * _PERCENT // max(answers, 1):
            statistic = str(count * _PERCENT // answers)
            said.append({"key": f"insight.code.{hundred}xx", "site": site, "statistic": statistic})
    return said


def _failures(network: object) -> list[JsonObject]:
    counts: Mapping[str, Any] = network if isinstance(network, dict) else {}
    bad, good = (_whole(counts.get(f"stats.network.send.{word}")) for word in ("failure", "success"))
    if not bad:
        return []
    return [{"key": "insight.network.failure", "site": "", "statistic": str(bad * _PERCENT // (bad + good))}]


def _whole(value: object) -> int:
    return int(str(value)) if str(value).isdecimal() and len(str(value)) < 16 else 0  # noqa: PLR2004 - digits


def _count(answer: Json, key: str) -> int:
    """A number in an answer.

    Raises:
        NoReport: there is none.
    """
    value = str(answer.get(key))
    if not value.isdecimal() or len(value) > 15:  # noqa: PLR2004 - digits
        raise NoReport(ScanStatus.ERROR, f"the ZAP daemon's answer holds no number {key}")
    return int(value)


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
