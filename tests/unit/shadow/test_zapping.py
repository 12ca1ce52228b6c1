"""ZAP from within an arm: its pod, the way back of its report, and what counts for what."""

import base64
import gzip
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from zap_baseline import alert, insight

from aegis.model.scan import ScanStatus, Tool
from aegis.ports import Purpose
from aegis.security.scanners.podsecurity import look
from aegis.shadow.errand import Ended
from aegis.shadow.isolation import is_probe
from aegis.shadow.probe import Place
from aegis.shadow.tools import TrialTools
from aegis.shadow.zapping import ZapRules, plan_of_zap_pod, read_result, scan_arm, unpack, urls

NAMESPACE, URL = "aegis-shadow-x-c", "http://web:80/"
TOOL = Tool(name="zap")


def report(*alerts: dict[str, Any]) -> bytes:
    site = "http://web"
    said = [insight("insight.endpoint.total", site, 5), insight("insight.code.2xx", site, 100)]
    return json.dumps({
        "@version": "2.17.0",
        "insights": said,
        "site": [{"@name": site, "alerts": list(alerts)}],
    }).encode()


def printed(data: bytes, piece: int = 100, **last: Any) -> str:
    text = base64.b64encode(gzip.compress(data)).decode() if data else ""
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    digest = hashlib.sha256(data).hexdigest()
    line = {"status": 0, "pieces": len(pieces), "digest": digest, "why": "", "words": ""} | last
    return "\n".join(["some warning", *pieces, json.dumps(line)]) + "\n"


@pytest.fixture
def place(tools: TrialTools, fake: Any) -> Place:
    fake.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return Place(
        tools=tools, purpose=Purpose(kind="shadow", incident="i", scope=(NAMESPACE,)), arm="c", namespace=NAMESPACE
    )


def test_its_pod_meets_the_restricted_standard_and_is_one_of_ours() -> None:
    config, pod = plan_of_zap_pod(NAMESPACE, "z", URL, ZapRules(image="zap:1", seconds=7.0))
    assert look([pod]).findings == ()
    assert is_probe(pod)
    assert pod["spec"]["automountServiceAccountToken"] is False
    plan = json.loads(config["data"]["plan.json"])
    assert plan["argv"][:3] == ["zap-baseline.py", "-t", URL]
    assert plan["seconds"] == 7.0


async def test_a_scan_comes_back_whole_and_leaves_nothing(place: Place, fake: Any) -> None:
    fake.log = lambda _: printed(report(alert("10021", "X", "1", ["http://web/a"])))
    result = await scan_arm(place, URL, ZapRules(image="zap:1"))
    assert (result.status, [one.rule_id for one in result.findings]) == (ScanStatus.FINDINGS, ["10021"])
    assert result.coverage.scanned == (URL,)
    assert not [key for key in fake.objects if key[0] in {"Pod", "ConfigMap"}]
    assert place.roll.own


@pytest.mark.parametrize(
    ("log", "status", "words"),
    [
        ("", ScanStatus.ERROR, "nothing usable"),
        ("Traceback\n", ScanStatus.ERROR, "nothing usable"),
        ("\n".join(printed(report()).splitlines()[2:]), ScanStatus.ERROR, "cut off"),
        (printed(report(), digest="0"), ScanStatus.ERROR, "damaged"),
        (
            printed(b"", status=3, why="no report was written", words="No URLs found"),
            ScanStatus.ERROR,
            "(status 3): No URLs",
        ),
        (printed(b"", status=None), ScanStatus.TIMEOUT, "did not end"),
        (printed(b"", foreign=True), ScanStatus.SKIPPED, "does not speak HTTP"),
        (printed(b"{}"), ScanStatus.ERROR, "no report of ZAP's"),
        (printed(report()), ScanStatus.CLEAN, ""),
        (printed(report(), status=3), ScanStatus.CLEAN, ""),
    ],
)
def test_what_the_log_says(log: str, status: ScanStatus, words: str) -> None:
    ended = Ended(pod={"status": {"phase": "Succeeded"}}, began=True)
    result = read_result(ended, log, URL, TOOL)
    assert result.status is status
    assert words in result.reason


def test_a_report_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.shadow.zapping.LIMIT_BYTES", 1000)
    with pytest.raises(ValueError, match="larger"):
        unpack(printed(b" " * 100_000))


async def test_an_image_that_cannot_be_pulled_is_an_error_at_once(place: Place, fake: Any) -> None:
    def stuck(pod: dict[str, Any]) -> None:
        waiting = {"reason": "ErrImagePull", "message": "no such image"}
        pod["status"] = {"phase": "Pending", "containerStatuses": [{"name": "probe", "state": {"waiting": waiting}}]}

    fake.behaviour = stuck
    result = await scan_arm(place, URL, ZapRules(image="zap:1"))
    assert result.status is ScanStatus.ERROR
    assert "ErrImagePull: no such image" in result.reason
    embedded = replace(place, tools=replace(place.tools, cluster=replace(place.tools.cluster, embedded=True)))
    assert (await scan_arm(embedded, URL, ZapRules(image="zap:1"))).status is ScanStatus.SKIPPED
    fake.calls.clear()
    assert (await scan_arm(embedded, URL, ZapRules())).status is ScanStatus.SKIPPED
    assert not fake.calls


async def test_a_pod_that_hangs_is_ended_with_its_time(
    place: Place, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.shadow.zapping._GRACE", 0.0)

    def hang(pod: dict[str, Any]) -> None:
        pod["status"] = {"phase": "Running", "containerStatuses": [{"name": "probe", "state": {"running": {}}}]}

    fake.behaviour = hang
    result = await scan_arm(place, URL, ZapRules(image="zap:1", seconds=0.1))
    assert result.status is ScanStatus.TIMEOUT
    assert [call[:2] for call in fake.calls if call[0] == "delete"] == [("delete", "Pod"), ("delete", "ConfigMap")]


def test_the_url_comes_from_what_the_service_declares() -> None:
    def check(host: str, port: int, scheme: str = "tcp") -> dict[str, Any]:
        return {"name": host, "scheme": scheme, "host": host, "port": port, "path": "/x", "headers": {}}

    found = urls([
        check("db", 5432),
        check("web", 443),
        check("api", 8080, "http"),
        check("api", 8080, "http"),
        check("s", 9, "https"),
    ])
    assert found == ["http://api:8080/", "https://s:9/", "http://db:5432/", "https://web:443/"]
