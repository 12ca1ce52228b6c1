from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.refs import ObjectRef
from aegis.model.security import Category, SecurityComparison, SecurityFinding, Severity, bare_purl, groups, secret_mark

WEB2 = ObjectRef(api_version="v1", kind="Image", name="shop/web:2")


def finding(rule: str, *, namespace: str = "shop", location: str = "containers[web]") -> SecurityFinding:
    return SecurityFinding(
        source="podsecurity",
        rule_id=rule,
        severity=Severity.HIGH,
        title=rule,
        description="",
        subject=ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace=namespace),
        location=location,
    )


def test_before_and_after_compare_across_namespaces() -> None:
    compared = SecurityComparison(
        before=(finding("privileged"), finding("hostPath")),
        after=(finding("hostPath", namespace="aegis-shadow-1-c"), finding("hostNetwork", namespace="aegis-shadow-1-c")),
    )
    assert [item.rule_id for item in compared.fixed] == ["privileged"]
    assert [item.rule_id for item in compared.new] == ["hostNetwork"]
    assert [item.rule_id for item in compared.same] == ["hostPath"]


def test_the_same_rule_on_another_container_is_new() -> None:
    compared = SecurityComparison(before=(finding("x"),), after=(finding("x"), finding("x", location="containers[b]")))
    assert len(compared.new) == 1


def test_counts_name_every_severity() -> None:
    counts = SecurityComparison(before=(), after=(finding("x"),)).to_dict()
    assert counts["after"] == {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 0, "UNKNOWN": 0}


def vulnerability(name: str, purl: str, **more: Any) -> SecurityFinding:
    image = ObjectRef(api_version="v1", kind="Image", name=more.pop("image", "shop/web:1"))
    severity = more.pop("severity", Severity.HIGH)
    return SecurityFinding(
        source="trivy",
        rule_id=name,
        severity=severity,
        title=name,
        description="",
        subject=image,
        category=Category.VULNERABILITY,
        purl=purl,
        **more,
    )


def test_a_vulnerability_stays_the_same_across_versions_tags_and_qualifiers() -> None:
    before = (
        vulnerability("CVE-2024-1", "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12.1"),
        vulnerability("CVE-2024-2", "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12.1"),
        vulnerability("CVE-2024-3", "pkg:deb/debian/zlib1g@1%3A1.2?arch=amd64&distro=debian-12.1"),
        vulnerability("CVE-2024-4", "pkg:pypi/requests@2.30"),
    )
    after = tuple(
        replace(item, purl=item.purl.replace("12.1", "12.2").replace("11-1", "12-2"), subject=WEB2)
        for item in before
        if item.rule_id != "CVE-2024-2"
    )
    compared = SecurityComparison(before=before, after=after)
    assert [item.rule_id for item in compared.fixed] == ["CVE-2024-2"]
    assert compared.new == ()
    assert len(compared.same) == 3


def test_ids_of_one_vulnerability_are_joined_even_through_a_third() -> None:
    purl = "pkg:npm/%40scope/lib@1"
    before = (vulnerability("GHSA-aaaa", purl, aliases=("CVE-2024-9",)),)
    after = (vulnerability("CVE-2024-9", purl, aliases=("VENDOR-1",)), vulnerability("VENDOR-1", purl))
    compared = SecurityComparison(before=before, after=after)
    assert compared.new == compared.fixed == ()
    assert len(compared.same) == 1
    assert compared.to_dict()["after"]["HIGH"] == 1
    assert before[0].fingerprint == replace(before[0], rule_id="CVE-2024-9", aliases=("GHSA-aaaa",)).fingerprint


def test_one_id_in_another_package_is_another_fault() -> None:
    compared = SecurityComparison(
        before=(vulnerability("CVE-1", "pkg:pypi/a@1"),), after=(vulnerability("CVE-1", "pkg:pypi/b@1"),)
    )
    assert len(compared.new) == len(compared.fixed) == 1


def test_what_stays_may_become_worse_or_fixable() -> None:
    old = vulnerability("CVE-1", "pkg:pypi/a@1", severity=Severity.LOW)
    odd = vulnerability("CVE-2", "pkg:pypi/a@1", severity=Severity.UNKNOWN)
    compared = SecurityComparison(
        before=(old, odd),
        after=(replace(old, severity=Severity.HIGH), replace(odd, severity=Severity.HIGH, fixed_version="2")),
    )
    assert compared.new == ()
    assert [item.rule_id for item in compared.worse] == ["CVE-1"]
    assert [item.rule_id for item in compared.newly_fixable] == ["CVE-2"]


@pytest.mark.parametrize(
    ("whole", "bare"),
    [
        ("pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64", "pkg:deb/debian/zlib1g"),
        ("pkg:npm/@scope/lib@1.0.0", "pkg:npm/@scope/lib"),
        ("pkg:npm/@scope", "pkg:npm/@scope"),
        ("pkg:golang/example.org/m/v2@v2.1.0#cmd/x", "pkg:golang/example.org/m/v2#cmd/x"),
        ("pkg:pypi/requests", "pkg:pypi/requests"),
        ("", ""),
    ],
)
def test_a_package_url_without_version_and_qualifiers(whole: str, bare: str) -> None:
    assert bare_purl(whole) == bare


def test_a_web_fault_is_the_same_on_another_host() -> None:
    def at(place: str) -> SecurityFinding:
        return replace(finding("10021"), category=Category.WEB, location=place, subject=replace(WEB2, name=place))

    here, there = at("GET http://web.shop:80/a?b=1 q"), at("GET https://10.0.0.7/a?b=1 q")
    assert here.fingerprint == there.fingerprint != at("POST http://web.shop:80/a?b=1 q").fingerprint


def test_a_secret_is_known_again_and_cannot_be_read() -> None:
    mark = secret_mark("hunter2", salt="s")
    assert mark == secret_mark("hunter2", salt="s")
    assert mark not in {secret_mark("hunter2", salt="t"), secret_mark("hunter3", salt="s")}
    assert "hunter2" not in mark


def test_severities_are_read_from_any_tool() -> None:
    assert Severity.of("critical") is Severity.CRITICAL
    assert Severity.of("WARNING") is Severity.MEDIUM
    assert Severity.of("no idea") is Severity.of(None) is Severity.UNKNOWN


def test_scripts_may_give_words() -> None:
    words: Any = {"severity": "high", "reference": None}
    given = SecurityFinding(source="mine", title="t", description="d", **words)
    assert (given.severity, given.reference) == (Severity.HIGH, "")
    assert given.to_dict()["severity"] == "HIGH"


IDS = ("CVE-1", "CVE-2", "GHSA-1", "GHSA-2")
FINDINGS = st.lists(
    st.builds(
        lambda name, others, package, severity: vulnerability(
            name, f"pkg:pypi/{package}@1", aliases=tuple(others), severity=severity
        ),
        st.sampled_from(IDS),
        st.lists(st.sampled_from(IDS), max_size=2),
        st.sampled_from("ab"),
        st.sampled_from(Severity),
    ),
    max_size=8,
).map(tuple)


@given(before=FINDINGS, after=FINDINGS)
def test_before_and_after_are_one_matter(
    before: tuple[SecurityFinding, ...], after: tuple[SecurityFinding, ...]
) -> None:
    forth, back = SecurityComparison(before=before, after=after), SecurityComparison(before=after, after=before)
    marks = [{item.fingerprint for item in side} for side in (forth.fixed, back.new, forth.new, back.fixed)]
    assert marks[0] == marks[1]
    assert marks[2] == marks[3]
    assert len(forth.fixed) + len(forth.new) + len(forth.same) == len(groups((*before, *after)))
    assert not {item.fingerprint for item in forth.worse} & {item.fingerprint for item in forth.new}
    idle = SecurityComparison(before=before, after=before)
    assert idle.fixed == idle.new == idle.worse == ()


@given(findings=FINDINGS)
def test_faults_do_not_share_a_name_in_one_place(findings: tuple[SecurityFinding, ...]) -> None:
    found = groups(findings)
    assert sorted(map(id, findings)) == sorted(id(item) for fault in found for item in fault)
    names = [{(item.place, name) for item in fault for name in item.ids} for fault in found]
    assert all(not one & other for number, one in enumerate(names) for other in names[:number])
