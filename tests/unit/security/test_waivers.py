"""What is waived is shown and blocks nothing; what is expired, unclear or about something else waives nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.waiver_files import parse
from aegis.security.waivers import Waived, Waiver, apply

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ZLIB = "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64"


def vulnerability(name: str = "CVE-1", *, image: str = "shop/web:1", **more: Any) -> SecurityFinding:
    return SecurityFinding(
        source="trivy",
        rule_id=name,
        severity=Severity.HIGH,
        title="",
        description="",
        subject=ObjectRef(api_version="v1", kind="Image", name=image),
        category=Category.VULNERABILITY,
        **{"purl": ZLIB, **more},
    )


def privileged(**more: Any) -> SecurityFinding:
    return SecurityFinding(
        source="podsecurity",
        rule_id="pss-baseline-privileged",
        severity=Severity.CRITICAL,
        title="",
        description="",
        subject=ObjectRef(api_version="apps/v1", kind="Deployment", name="web"),
        **{"location": "containers[web]", **more},
    )


def waiver(**fields: Any) -> Waiver:
    lines = {"id": "CVE-1", "owner": "ana", "reason": "known", "expires": "2026-12-31", **fields}
    text = "- " + "\n  ".join(f"{key}: {value}" for key, value in lines.items() if value is not None)
    (only,) = parse(text.encode(), source="waivers.yaml")
    return only


def outcome(finding: SecurityFinding, *waivers: Waiver) -> Waived:
    return apply((finding,), waivers, now=NOW)


def is_waived(finding: SecurityFinding, *waivers: Waiver) -> bool:
    done = outcome(finding, *waivers)
    assert len(done.kept) + len(done.suppressed) == 1
    return bool(done.suppressed)


def test_what_is_waived_is_shown_with_who_answers_for_it() -> None:
    (told,) = outcome(vulnerability(), waiver()).suppressed
    assert (told.waiver, told.owner, told.reason, told.expires) == ("CVE-1", "ana", "known", "2026-12-31")
    assert told.finding == vulnerability()


@pytest.mark.parametrize(
    ("fields", "finding", "covered"),
    [
        ({}, vulnerability(), True),
        ({}, vulnerability("CVE-2"), False),
        ({"id": "cve-1"}, vulnerability(), True),
        ({}, vulnerability("GHSA-x", aliases=("CVE-1",)), True),
        ({"purls": "[pkg:deb/debian/zlib1g]"}, vulnerability(), True),
        ({"purls": "['pkg:deb/debian/zlib1g@1:1.2.13']"}, vulnerability(), True),
        ({"purls": "['pkg:deb/debian/zlib1g@1:1.2.14']"}, vulnerability(), False),
        ({"purls": "[pkg:deb/debian/openssl]"}, vulnerability(), False),
        ({"purls": "[pkg:deb/debian/zlib1g]"}, vulnerability(purl=""), False),
        ({"paths": "['shop/web:*']"}, vulnerability(), True),
        ({"paths": "['shop/api:*']"}, vulnerability(), False),
        ({"id": "pss-baseline-privileged", "paths": "[Deployment/web]"}, privileged(), True),
        ({"id": "pss-baseline-privileged", "paths": "[deploy/*.yaml]"}, privileged(file="deploy/a.yaml"), True),
        ({"id": "pss-baseline-privileged", "paths": "[deploy/*.yaml]"}, privileged(), False),
        ({"id": "pss-baseline-privileged", "paths": "['containers[[]api]']"}, privileged(), False),
    ],
)
def test_which_findings_it_is_about(fields: dict[str, Any], finding: SecurityFinding, covered: bool) -> None:
    assert is_waived(finding, waiver(**fields)) is covered


def test_a_waiver_of_one_image_does_not_cover_another_with_the_same_fault() -> None:
    both = (vulnerability(), vulnerability(image="shop/api:1"))
    done = apply(both, [waiver(paths="['shop/web:*']")], now=NOW)
    assert done.kept == both[1:]


def test_a_fault_is_waived_under_all_its_names() -> None:
    fault = (vulnerability("GHSA-x", aliases=("CVE-1",)), vulnerability("GHSA-x"))
    assert apply(fault, [waiver()], now=NOW).kept == ()


@pytest.mark.parametrize(
    ("expires", "covered"),
    [
        ("2026-06-01", True),
        ("2026-05-31", False),
        ("2026-06-01T12:00:01Z", True),
        ("2026-06-01T12:00:00Z", False),
        ("2026-06-01T13:00:01+02:00", False),
    ],
)
def test_until_when_it_holds(expires: str, covered: bool) -> None:
    done = outcome(vulnerability(), waiver(expires=expires))
    assert bool(done.suppressed) is covered
    assert bool(done.notes) is not covered
    if not covered:
        assert "expired on" in done.notes[0]
        assert "ana" in done.notes[0]


def test_of_an_expired_one_that_is_about_nothing_here_nothing_is_said() -> None:
    assert outcome(vulnerability("CVE-9"), waiver(expires="2020-01-01")).notes == ()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"owner": None}, "has no owner"),
        ({"reason": "''"}, "has no reason"),
        ({"expires": None}, "has no expires"),
        ({"expires": "never"}, "no date"),
        ({"expires": "2026-06-01T12:00:00"}, "no time zone"),
        ({"expires": "9999-12-31"}, "no day that ends"),
        ({"id": "CVE-*"}, "is a pattern"),
        ({"id": None}, "has no id"),
        ({"paths": "x"}, "no list of words"),
        ({"purls": "[]"}, "nothing could match"),
        ({"expiry": "2026-01-01"}, "expiry is not known"),
        ({"owner": "ana\n  owner: eve"}, "stands twice"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(Exception, match=why):
        waiver(**fields)


@pytest.mark.parametrize("text", ["waivers: 1", "a: 1", "- 1", "[]\n---\n[]", "x"])
def test_files_that_are_none(text: str) -> None:
    with pytest.raises(Exception, match=r"waivers\.yaml"):
        parse(text.encode(), source="waivers.yaml")


def test_an_empty_list_waives_nothing() -> None:
    assert parse(b"waivers:\n", source="w") == parse(b"[]", source="w") == ()


def test_one_of_a_scanner_is_about_no_other() -> None:
    own = replace(waiver(), ids=frozenset(), sources=frozenset({"falco"}), paths=("shop/*",))
    assert not is_waived(vulnerability(), own)
    assert is_waived(vulnerability(), replace(own, sources=frozenset({"trivy"})))
