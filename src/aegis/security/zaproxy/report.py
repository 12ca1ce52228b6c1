"""What ZAP's JSON report holds, read as strictly as anything that comes from outside. Pure.

Source: ZAP's "Traditional JSON" report with the "Insights" add-on (ZAP 2.17): nearly every value is a string, texts are
HTML, `riskdesc` is "risk (confidence)" and never read, and no rule is reported more than about ten times, so that numbers
of alerts say nothing.
"""

from __future__ import annotations

import html
import ipaddress
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from aegis.model.redact import redact_text
from aegis.model.refs import Json, JsonObject
from aegis.model.security import Severity, without_host

NAME = "zap"

LIMIT_BYTES = 64 << 20
"""A report larger than this is refused."""

CAP = 10
"""So often at most ZAP reports a rule: one that was reported so often may hold of other pages too."""

_RISKS = {
    "0": (Severity.LOW, "info"),
    "1": (Severity.LOW, "low"),
    "2": (Severity.MEDIUM, "medium"),
    "3": (Severity.HIGH, "high"),
}
FALSE_POSITIVE = "0"
_MOST_RULES, _MOST_INSTANCES, _MOST_INSIGHTS = 1000, 200, 500
_TEXT, _WORD = 2000, 300
_TAG = re.compile(r"<[^<>]{0,500}>")
_BREAK = re.compile(r"</(?:p|li|div)>|<br ?/?>", re.IGNORECASE)
_CONTROL = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Where an alert was met."""

    uri: str
    node: str
    method: str
    param: str
    evidence: str

    @property
    def place(self) -> str:
        """Without the host, as `GET /login (name)?name`."""
        param = f"?{self.param}" if self.param else ""
        return f"{self.method} {without_host(self.node)}{param}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One rule that ZAP reports of one host.

    Attributes:
        ref: of the rule, as `10038-1`.
        risk: `0` informational to `3` high, as written.
        confidence: `0` false positive to `4` confirmed, as written.
        capped: whether it was met in more places than are named.
    """

    ref: str
    name: str
    risk: str
    confidence: str
    description: str
    solution: str
    reference: str
    cwe: str
    host: str
    capped: bool
    instances: tuple[Instance, ...]

    @property
    def counts(self) -> bool:
        """Whether it is a fault: neither a false positive nor a mere information."""
        return self.confidence != FALSE_POSITIVE and self.risk != "0"

    @property
    def severity(self) -> Severity:
        """By `riskcode`; UNKNOWN for a code that ZAP does not have."""
        return _RISKS.get(self.risk, (Severity.UNKNOWN, ""))[0]

    @property
    def level(self) -> str:
        """`high`, `medium`, `low` or `info`; a code that ZAP does not have counts as `high`."""
        return _RISKS.get(self.risk, (Severity.UNKNOWN, "high"))[1]

    def to_dict(self) -> JsonObject:
        """One alert of `zap_baseline_scan`."""
        first = self.instances[0] if self.instances else None
        return {
            "name": self.name,
            "risk": self.level,
            "confidence": self.confidence,
            "alert_ref": self.ref,
            "cwe": self.cwe,
            "url": first.uri if first else "",
            "method": first.method if first else "",
            "param": first.param if first else "",
            "places": [instance.place for instance in self.instances],
            "description": self.description,
            "solution": self.solution,
            "reference": self.reference,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """One number that ZAP says of its own work: `site` is empty where it is about all."""

    key: str
    site: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it was read."""

    version: str
    alerts: tuple[Alert, ...]
    insights: tuple[Insight, ...]
    sites: tuple[str, ...]

    def value(self, key: str, site: str) -> float | None:
        """The largest value of an insight for a site (or for all); None where ZAP says none: below one it says nothing."""
        found = [one.value for one in self.insights if one.key == key and (not one.site or same_site(one.site, site))]
        return max(found, default=None)


def same_site(one: str, other: str) -> bool:
    """Whether two URLs have one scheme, host and port."""
    return _site(one) == _site(other)


def check_url(url: str) -> str:
    """Why this is no URL that may be scanned; empty where it may be.

    Only http and https, a host, no credentials, nothing that a command line or a terminal would misread.
    """
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError as error:
        return f"{plain(url)[:_WORD]!r} is no URL: {error}"
    if parts.scheme not in _PORTS or not parts.hostname or not port_is_good:
        return f"{plain(url)[:_WORD]!r} is no URL of an HTTP service"
    if parts.username is not None or parts.password is not None:
        return "the URL holds credentials, which would be written into reports"
    if len(url) > _TEXT or not url.isascii() or not url.isprintable() or set(url) & set(" '\"<>\\^`{|}"):
        return "the URL holds characters that must be escaped in one, or is too long"
    return ""


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this very machine."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def load_report(data: bytes) -> JsonObject:
    """The JSON of a report.

    Raises:
        ValueError: it is empty, too large, cut off or no report of ZAP's; the message says which.
    """
    if not data.strip():
        raise ValueError("the report is empty")
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"the report is larger than {LIMIT_BYTES >> 20} MiB")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the report is no whole JSON document: {error}") from error
    if not isinstance(raw, dict) or "@version" not in raw or not isinstance(raw.get("site"), list | dict):
        raise ValueError("the JSON is no report of ZAP's: it has no `@version` or no `site`")
    return raw


def parse_report(data: bytes) -> Report:
    """Read a report.

    Raises:
        ValueError: it cannot be read; see `load_report`.
    """
    return report_of(load_report(data))


def report_of(raw: Json) -> Report:
    """Read a report whose JSON was read already; what has another shape than ZAP gives it is passed over or UNKNOWN."""
    sites = [one for one in _list(raw.get("site")) if isinstance(one, dict)]
    return Report(
        version=plain(raw.get("@version"))[:_WORD],
        alerts=tuple(alert for site in sites for alert in _alerts(site)),
        insights=tuple(_insights(raw.get("insights"))),
        sites=tuple(str(site.get("@name") or "")[:_TEXT] for site in sites),
    )


def plain(text: object) -> str:
    """A text without HTML and without characters that move a terminal's cursor."""
    if not isinstance(text, str):
        return "" if text is None else str(text)[:_WORD]
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return _CONTROL.sub("", text).strip()


def _alerts(site: Json) -> Iterator[Alert]:
    host = str(site.get("@name") or "")[:_TEXT]
    for one in _list(site.get("alerts"))[:_MOST_RULES]:
        if not isinstance(one, dict):
            continue
        instances = [
            _instance(item) for item in _list(one.get("instances"))[:_MOST_INSTANCES] if isinstance(item, dict)
        ]
        yield Alert(
            ref=plain(one.get("alertRef") or one.get("pluginid"))[:_WORD],
            name=plain(one.get("name") or one.get("alert"))[:_WORD],
            risk=plain(one.get("riskcode")),
            confidence=plain(one.get("confidence")),
            description=redact_text(plain(one.get("desc"))[:_TEXT]),
            solution=redact_text(plain(one.get("solution"))[:_TEXT]),
            reference=(plain(one.get("reference")).splitlines() or [""])[0][:_WORD],
            cwe=plain(one.get("cweid"))[:_WORD],
            host=host,
            capped=_is_true(one.get("systemic")) or max(_number(one.get("count")) or 0, len(instances)) >= CAP,
            instances=tuple(dict.fromkeys(instances)),
        )


def _instance(one: Json) -> Instance:
    uri = plain(one.get("uri"))[:_TEXT]
    return Instance(
        uri=redact_text(uri),
        node=redact_text(plain(one.get("nodeName"))[:_TEXT] or uri.partition("?")[0]),
        method=plain(one.get("method"))[:_WORD] or "GET",
        param=plain(one.get("param"))[:_WORD],
        evidence=redact_text(plain(one.get("evidence"))[:_WORD]),
    )


def _insights(value: object) -> Iterator[Insight]:
    for one in _list(value)[:_MOST_INSIGHTS]:
        number = _number(one.get("statistic")) if isinstance(one, dict) else None
        if number is not None:
            yield Insight(key=plain(one.get("key"))[:_WORD], site=plain(one.get("site"))[:_TEXT], value=number)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _is_true(value: object) -> bool:
    return value is True or value == "true"


def _number(value: object) -> float | None:
    text = str(value)
    return float(text) if re.fullmatch(r"\d{1,15}(?:\.\d{1,6})?", text) else None


def _site(url: str) -> tuple[str, str, int | None]:
    try:
        parts: SplitResult = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", url, None


def host_of(url: str) -> str:
    """The host that a URL names, without its port."""
    return _site(url)[1]
