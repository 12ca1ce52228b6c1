"""ZAP's baseline scan from within an arm, since nothing outside reaches an arm.

The scan runs in a pod of ZAP's own image; its report comes back through the pod's log, packed and with its digest, so that
a rotated or cut log is seen as what it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aegis.errors import AegisError
from aegis.model.redact import redact_text
from aegis.model.refs import Json, JsonObject
from aegis.model.scan import Coverage, ScanResult, ScanStatus, Tool
from aegis.security.zaproxy.judging import result_of
from aegis.security.zaproxy.report import LIMIT_BYTES, NAME, check_url, parse_report, plain
from aegis.security.zaproxy.taken import NoReport
from aegis.shadow.errand import Ended, said, standing, until_ended
from aegis.shadow.probe import Place, config_map, probe_pod

CONTAINER = "probe"
FOLDER, REPORT = "/zap/wrk", "report.json"
_USER = 1000
_PULL = 300.0
_GRACE = 15.0
_LOG_BYTES = 16 << 20
_HTTPS_PORTS = frozenset({443, 8443})


@dataclass(frozen=True, slots=True, kw_only=True)
class ZapRules:
    """How ZAP is run in an arm.

    Attributes:
        image: of ZAP, by digest or tag; it must hold `zap-baseline.py`.
        seconds: real seconds that one scan may take; ZAP knows no time scale.
    """

    image: str = "ghcr.io/zaproxy/zaproxy:stable"
    seconds: float = 300.0


async def scan_arm(place: Place, url: str, rules: ZapRules) -> ScanResult:
    """Scan a service of an arm, from a pod in it. Leaves nothing behind, and raises nothing for what ZAP does.

    Args:
        place: the arm.
        url: as `urls` gives it.
        rules: how.
    """
    name = f"aegis-zap-{secrets.token_hex(4)}"  # the pod of a scan before this one may still be leaving
    tool = Tool(name=NAME, digest=_digest_of(rules.image))
    if why := check_url(url):
        return _failed(ScanStatus.ERROR, why, url, tool)
    if place.tools.cluster.embedded and _is_foreign(rules.image):
        return _failed(ScanStatus.SKIPPED, f"the embedded cluster's registry does not have {rules.image}", url, tool)
    try:
        async with standing(place, plan_of_zap_pod(place.namespace, name, url, rules)):
            ended = await until_ended(place, name, CONTAINER, seconds=rules.seconds + _GRACE, patience=_PULL)
            log = await said(place, ended.pod, CONTAINER, limit_bytes=_LOG_BYTES) if ended.began else ""
    except AegisError as error:
        return _failed(ScanStatus.ERROR, error.message, url, tool)
    result = read_result(ended, log, url, tool)
    lacks_it = place.tools.cluster.embedded and ended.why.startswith(("ErrImagePull", "ImagePullBackOff"))
    return replace(result, status=ScanStatus.SKIPPED) if lacks_it else result


def urls(checks: Iterable[Json]) -> list[str]:
    """Where the services behind these checks (`aegis.shadow.smoke.checks`) answer; those that declare an HTTP path first.

    ZAP always begins at the root of a site, so each is given once. A port about which nothing is declared is taken for HTTP.
    """
    ordered = sorted(checks, key=lambda check: check["scheme"] == "tcp")
    return list(dict.fromkeys(f"{_scheme(check)}://{check['host']}:{check['port']}/" for check in ordered))


def plan_of_zap_pod(namespace: str, name: str, url: str, rules: ZapRules) -> list[JsonObject]:
    """The ConfigMap and the Pod of one scan; the pod meets the restricted Pod Security Standard.

    ZAP writes into its home, so that its root is not read-only; it runs as uid 1000, which owns that home.
    """
    plan = {
        "url": url,
        "argv": ["zap-baseline.py", "-t", url, "-J", REPORT, "-m", "1", "-T", "5", "-I", "-z", "-silent"],
        "folder": FOLDER,
        "report": REPORT,
        "seconds": rules.seconds,
        "limit": LIMIT_BYTES,
    }
    pod = probe_pod(namespace, name, rules.image, ["/probe/plan.json"])
    spec = pod["spec"]
    container = spec["containers"][0]
    spec["securityContext"] |= {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER}
    container["securityContext"]["readOnlyRootFilesystem"] = False
    container["resources"] = {
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "2Gi"},
    }
    container["volumeMounts"].append({"name": "work", "mountPath": FOLDER})
    spec["volumes"].append({"name": "work", "emptyDir": {"sizeLimit": "512Mi"}})
    return [config_map(namespace, name, "zap", plan), pod]


def read_result(ended: Ended, log: str, url: str, tool: Tool) -> ScanResult:
    """What came of a scan, out of how its pod ended and what it wrote."""
    try:
        data = _report(ended, log)
        result = result_of(parse_report(data), url, tool=tool)
    except NoReport as none:
        return _failed(none.status, none.reason, url, tool)
    except ValueError as error:
        return _failed(ScanStatus.ERROR, str(error), url, tool)
    return replace(result, raw_digest=f"sha256:{hashlib.sha256(data).hexdigest()}")


def _report(ended: Ended, log: str) -> bytes:
    """The report.

    Raises:
        NoReport: there is none; it says how that counts.
    """
    late = NoReport(ScanStatus.TIMEOUT, "ZAP did not end in time")
    if ended.why:
        raise NoReport(ScanStatus.ERROR, f"ZAP's pod did not run: {ended.why}")
    try:
        last, data = unpack(log)
    except ValueError as error:
        reason = f"{error} ({ended.reason(CONTAINER) or 'no reason given'})"
        raise late if ended.late else NoReport(ScanStatus.ERROR, reason) from None
    if last.get("foreign"):
        raise NoReport(ScanStatus.SKIPPED, "what answers there does not speak HTTP")
    if last.get("status") is None:
        raise late
    if not data:
        words = redact_text(plain(last.get("words")).rpartition("\n")[2])[:300]
        raise NoReport(ScanStatus.ERROR, f"{plain(last.get('why'))} (status {last['status']}): {words}")
    return data


def unpack(log: str) -> tuple[JsonObject, bytes]:
    """What `scripts/zap.py` printed: its last line, and the report (empty where there is none).

    Raises:
        ValueError: if it is not whole.
    """
    lines = log.strip().splitlines()
    try:
        last = json.loads(lines[-1])
        pieces = int(last["pieces"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise ValueError("ZAP's pod said nothing usable") from None
    if not 0 <= pieces < len(lines):
        raise ValueError("the log of ZAP's pod is cut off")
    data = _unpacked(lines[len(lines) - 1 - pieces : -1])
    if pieces and hashlib.sha256(data).hexdigest() != last.get("digest"):
        raise ValueError("the report in the log of ZAP's pod is damaged")
    return last, data


def _unpacked(pieces: Sequence[str]) -> bytes:
    """The report, never more than may be.

    Raises:
        ValueError: if it is none, or too large.
    """
    packed = zlib.decompressobj(wbits=31)
    try:
        data = packed.decompress(base64.b64decode("".join(pieces), validate=True), LIMIT_BYTES) if pieces else b""
    except (binascii.Error, zlib.error, ValueError):
        raise ValueError("the report in the log of ZAP's pod is damaged") from None
    if packed.unconsumed_tail:
        raise ValueError(f"the report is larger than {LIMIT_BYTES >> 20} MiB")
    return data


def _scheme(check: Json) -> str:
    if check["scheme"] != "tcp":
        return str(check["scheme"])
    return "https" if check["port"] in _HTTPS_PORTS else "http"


def _is_foreign(image: str) -> bool:
    """Whether an image comes from a registry that the embedded cluster does not play."""
    return image.partition("/")[0] in {"ghcr.io", "docker.io", "quay.io"} and "zaproxy" in image


def _digest_of(image: str) -> str:
    digest = image.partition("@")[2]
    return digest if digest.startswith("sha256:") else ""


def _failed(status: ScanStatus, reason: str, url: str, tool: Tool) -> ScanResult:
    details: dict[str, Any] = {"target_url": url}
    return ScanResult(
        scanner=NAME, status=status, coverage=Coverage(expected=(url,)), tool=tool, reason=reason, details=details
    )
