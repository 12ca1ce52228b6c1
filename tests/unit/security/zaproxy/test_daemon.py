"""ZAP by a daemon's API: the same findings as by Docker, nothing of an earlier scan, and a bound on all that it may do."""

import asyncio

import pytest
from fake_zap import KEY, FakeZap, listening
from web_service import SAFE, serving

from aegis.model.scan import ScanResult, ScanStatus, Url
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.zap import PLUGIN
from aegis.security.zaproxy.daemon import scan_by_daemon
from aegis.security.zaproxy.taken import NoReport


def desk(daemon: FakeZap, seconds: float = 30.0, key: str = KEY) -> Desk:
    return Desk(rules=ScanRules(zap_api_url=daemon.url, zap_api_key=key, timeouts={"zap": seconds}))


async def scanned(daemon: FakeZap, url: str, seconds: float = 30.0, key: str = KEY) -> ScanResult:
    return await PLUGIN.scan(Url(url=url), desk(daemon, seconds, key))


async def test_it_finds_what_docker_finds() -> None:
    async with listening() as daemon, serving(pages=15) as url:
        result = await scanned(daemon, url)
        assert daemon.calls.index("spider/action/scan") > daemon.calls.index("core/action/newSession")
        assert daemon.keys == {KEY}
    assert result.status is ScanStatus.FINDINGS, result.reason
    assert {one.rule_id for one in result.findings} == {"10038-1", "10021"}
    assert "GET /a" in {one.location for one in result.findings}
    assert result.tool.version == "2.17.0"
    assert result.details["capped"] == ["10021", "10038-1"]


async def test_it_sees_nothing_of_an_earlier_scan() -> None:
    async with listening() as daemon, serving() as bad, serving(SAFE) as good:
        assert (await scanned(daemon, bad)).status is ScanStatus.FINDINGS
        result = await scanned(daemon, good)
    assert (result.status, result.findings) == (ScanStatus.CLEAN, ())


async def test_two_scans_take_turns() -> None:
    async with listening() as daemon, serving() as bad, serving(SAFE) as good, asyncio.TaskGroup() as group:
        first, second = (group.create_task(scanned(daemon, url)) for url in (bad, good))
        assert ((await first).status, (await second).status) == (ScanStatus.FINDINGS, ScanStatus.CLEAN)
    begun = [n for n, call in enumerate(daemon.calls) if call == "core/action/newSession"]
    assert begun[1] > daemon.calls.index("alert/view/alerts")


async def test_a_service_that_only_fails_is_no_pass() -> None:
    async with listening() as daemon, serving(SAFE, status=503) as url:
        result = await scanned(daemon, url)
    assert result.status is ScanStatus.PARTIAL
    assert "5xx" in result.reason


async def test_a_service_that_is_not_there_is_an_error() -> None:
    async with serving() as url:
        gone = url
    async with listening() as daemon:
        result = await scanned(daemon, gone)
    assert result.status is ScanStatus.ERROR


async def test_a_daemon_that_is_not_there_is_an_error() -> None:
    async with listening() as daemon:
        pass
    result = await scanned(daemon, "http://127.0.0.1:9/")
    assert result.status is ScanStatus.ERROR
    assert "the ZAP daemon at" in result.reason


async def test_a_wrong_key_is_an_error_and_is_not_told() -> None:
    async with listening() as daemon, serving() as url:
        result = await scanned(daemon, url, key="wr0ng-key")
    assert result.status is ScanStatus.ERROR
    assert "bad_api_key" in result.reason
    assert "wr0ng-key" not in str(result.to_dict())
    assert "wr0ng-key" not in repr(desk(daemon, key="wr0ng-key"))


@pytest.mark.parametrize(
    ("path", "how", "words"),
    [
        ("core/view/version", "no-json", "no JSON object"),
        ("core/action/newSession", "redirect", "answers 302"),
        ("core/action/accessUrl", "refuse", "internal_error"),
        ("spider/view/status", "no-number", "no number status"),
        ("pscan/view/recordsToScan", "list", "no JSON object"),
        ("alert/view/alerts", "no-number", "no list of alerts"),
    ],
)
async def test_an_answer_that_is_none_is_an_error(path: str, how: str, words: str) -> None:
    async with listening(fault=(path, how)) as daemon, serving(SAFE) as url:
        result = await scanned(daemon, url)
    assert result.status is ScanStatus.ERROR
    assert words in result.reason


async def test_a_passive_scan_that_never_ends_is_bounded() -> None:
    async with listening(fault=("pscan/view/recordsToScan", "never")) as daemon, serving(SAFE) as url:
        result = await scanned(daemon, url, seconds=1.0)
    assert result.status is ScanStatus.TIMEOUT


async def test_a_spider_that_never_ends_is_stopped_and_what_it_met_counts() -> None:
    async with listening(fault=("spider/view/status", "never")) as daemon, serving(SAFE) as url:
        taken = await scan_by_daemon(url, desk(daemon).rules, 2.0)
        assert "spider/action/stop" in daemon.calls
    assert taken.notes == ("the spider was stopped after 1 s",)


async def test_who_gives_up_stops_the_spider() -> None:
    async with listening(fault=("spider/view/status", "never")) as daemon, serving(SAFE) as url:
        async with asyncio.TaskGroup() as group:
            scan = group.create_task(scanned(daemon, url))
            await daemon.spidering.wait()
            scan.cancel()
        assert "spider/action/stop" in daemon.calls


async def test_an_address_with_a_query_is_refused() -> None:
    with pytest.raises(NoReport, match="no URL of a service"):
        await scan_by_daemon("http://x/", ScanRules(zap_api_url="http://127.0.0.1:1/?a=b"), 5.0)


async def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(NoReport, match="in the clear"):
        await scan_by_daemon("http://x/", ScanRules(zap_api_url="http://zap.example:8080", zap_api_key="k"), 5.0)


async def test_an_address_with_credentials_is_refused() -> None:
    with pytest.raises(NoReport, match="credentials"):
        await scan_by_daemon("http://x/", ScanRules(zap_api_url="http://u:p@127.0.0.1:1"), 5.0)
