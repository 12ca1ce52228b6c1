"""What ZAP saw of two arms, so that it compares."""

from zap_baseline import alert, insight

from aegis.model.scan import Tool, Url
from aegis.model.security import SecurityComparison
from aegis.security.zaproxy.report import report_of, result_of
from aegis.shadow.gates.zap import comparable
from aegis.shadow.scanning import Look, Looks

SITE = "http://web:80"


def look(arm: str, pages: range, *, site: str = SITE) -> Look:
    said = [insight("insight.endpoint.total", site, 30), insight("insight.code.2xx", site, 100)]
    found = [alert("10021", "X", "1", [f"{site}/{page}" for page in pages])]
    raw = {"@version": "2.17.0", "insights": said, "site": [{"@name": site, "alerts": found}]}
    return Look(
        subject=Url(url=f"{site}/", namespace=arm), result=result_of(report_of(raw), f"{site}/", tool=Tool(name="zap"))
    )


def new(looks: Looks) -> int:
    return len(SecurityComparison(before=looks.findings_before, after=looks.findings_after).new)


def test_pages_that_happened_not_to_be_named_are_not_new() -> None:
    looks = Looks(before=(look("x-g", range(20)),), after=(look("x-c", range(10, 30)),))
    assert new(looks) == 10
    assert new(comparable(looks)) == 0


def test_what_was_met_in_few_places_keeps_them() -> None:
    looks = Looks(before=(look("x-g", range(2)),), after=(look("x-c", range(3)),))
    assert new(comparable(looks)) == 1


def test_a_service_that_only_the_candidate_has_stays_as_it_is() -> None:
    looks = Looks(before=(), after=(look("x-c", range(3)), look("x-c", range(1), site="http://api:80")))
    assert comparable(looks) == looks
