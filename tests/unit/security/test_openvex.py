"""What a supplier says of its own product, as waivers; nothing more than it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.errors import UsageError
from aegis.model.refs import ObjectRef
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.waiver_files import parse
from aegis.security.waivers import apply

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.example:5000/shop/web:1@{DIGEST}"
ZLIB = "pkg:deb/debian/zlib1g"


def document(*said: dict[str, Any], **more: Any) -> bytes:
    whole = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "Supplier",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": list(said),
    }
    return json.dumps({**whole, **more}).encode()


def statement(status: str = "not_affected", product: Any = ZLIB, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "vulnerability": {"name": "CVE-1", "aliases": ["GHSA-x"]},
        "products": [{"@id": product} if isinstance(product, str) else product],
        "status": status,
        "justification": "vulnerable_code_not_in_execute_path",
    }
    return {**fields, **more}


def finding(name: str = "CVE-1", image: str = IMAGE, purl: str = f"{ZLIB}@1.2?arch=amd64") -> SecurityFinding:
    return SecurityFinding(
        source="trivy",
        rule_id=name,
        severity=Severity.HIGH,
        title="",
        description="",
        subject=ObjectRef(api_version="v1", kind="Image", name=image),
        category=Category.VULNERABILITY,
        purl=purl,
    )


def is_waived(item: SecurityFinding, *said: dict[str, Any]) -> bool:
    return bool(apply((item,), parse(document(*said), source="vex.json"), now=NOW).suppressed)


@pytest.mark.parametrize(
    ("status", "waived"), [("not_affected", True), ("fixed", True), ("affected", False), ("under_investigation", False)]
)
def test_only_two_statuses_take_something_away(status: str, waived: bool) -> None:
    assert is_waived(finding(), statement(status)) is waived


def test_it_says_who_and_why() -> None:
    (told,) = apply((finding(),), parse(document(statement()), source="v"), now=NOW).suppressed
    assert (told.owner, told.reason) == ("Supplier", "VEX: not_affected, vulnerable_code_not_in_execute_path")
    assert told.expires == ""


@pytest.mark.parametrize(
    ("product", "waived"),
    [
        (ZLIB, True),
        (f"{ZLIB}@1.2", True),
        (f"{ZLIB}@1.3", False),
        ("pkg:deb/debian/openssl", False),
        (IMAGE, True),
        ("registry.example:5000/shop/web:1", False),
        (f"registry.example:5000/shop/web@{DIGEST}", True),
        (f"registry.example:5000/shop/api@{DIGEST}", False),
        (f"pkg:oci/web@{DIGEST}", True),
        (f"pkg:oci/web@{DIGEST.replace(':', '%3A')}?repository_url=registry.example%3A5000/shop/web", True),
        ("pkg:oci/web@sha256:00", False),
        ("pkg:oci/web", False),
        ({"@id": IMAGE, "subcomponents": [{"@id": ZLIB}]}, True),
        ({"@id": IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/openssl"}]}, False),
        ({"@id": "other@sha256:00", "subcomponents": [{"@id": ZLIB}]}, False),
        ({"identifiers": {"purl": ZLIB}}, True),
    ],
)
def test_in_which_product(product: Any, waived: bool) -> None:
    assert is_waived(finding(), statement(product=product)) is waived


def test_aliases_are_names_too() -> None:
    assert is_waived(finding("GHSA-x"), statement())
    assert not is_waived(finding("CVE-2"), statement())


def test_the_later_statement_holds() -> None:
    first = statement("not_affected", timestamp="2026-02-01T00:00:00Z")
    later = statement("affected", timestamp="2026-03-01T00:00:00Z")
    assert not is_waived(finding(), first, later)
    assert not is_waived(finding(), later, first)
    assert is_waived(finding(), first, statement("affected"))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (document(**{"@context": "https://example.org"}), "OpenVEX"),
        (document(author=""), "no author"),
        (document(timestamp="yesterday"), "no moment"),
        (document(statements={}), "no list"),
        (document(1), "no object"),  # type: ignore[arg-type]  # a supplier may write anything
        (document(statement("harmless")), "none of"),
        (document(statement(justification="")), "without a justification"),
        (document(statement(products=[])), "names no product"),
        (document(statement(products=[{}])), "has no name"),
        (document(statement(vulnerability={})), "no name"),
        (document(statement(vulnerability=1)), "no vulnerability"),
    ],
)
def test_what_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse(raw, source="vex.json")
