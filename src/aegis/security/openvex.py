"""OpenVEX documents: what a supplier says of vulnerabilities in its products. Pure.

Source: the OpenVEX specification 0.2.0: statements of `vulnerability`, `products`, `status` (`not_affected`, `affected`,
`fixed`, `under_investigation`); `not_affected` needs a justification or an impact statement; of two statements on one
vulnerability and product the later holds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aegis.security.waivers import Waiver, refuse

_STATUSES = frozenset({"not_affected", "affected", "fixed", "under_investigation"})
_WAIVES = frozenset({"not_affected", "fixed"})
_MOST = 10_000

Product = tuple[str, tuple[str, ...]]


def statements(document: dict[str, Any], *, source: str) -> tuple[Waiver, ...]:
    """The statements that take something away, as waivers.

    Raises:
        UsageError: if it is no OpenVEX document, or a statement does not say what it must.
    """
    if not str(document.get("@context", "")).startswith("https://openvex.dev/ns"):
        refuse(source, "its @context is not OpenVEX's")
    said = document.get("statements")
    if not isinstance(said, list) or len(said) > _MOST:
        refuse(source, f"no list of statements of at most {_MOST}")
    author = _text(document, "author", source)
    at = _moment(document, source)
    dated = [_Statement(one, author, at, f"{source}: statement {number}") for number, one in enumerate(said, 1)]
    latest: dict[tuple[str, Product], tuple[str, Waiver]] = {}
    for one in sorted(dated, key=lambda it: it.at):
        for product in one.products:
            latest[one.waiver.id, product] = (one.status, replace(one.waiver, products=(product,)))
    return tuple(waiver for status, waiver in latest.values() if status in _WAIVES)


class _Statement:
    """One, read."""

    def __init__(self, raw: Any, author: str, at: datetime, where: str) -> None:
        if not isinstance(raw, dict):
            refuse(where, "it is no object")
        self.at = _moment(raw, where) if "timestamp" in raw else at
        self.status = str(raw.get("status"))
        if self.status not in _STATUSES:
            refuse(where, f"the status {self.status} is none of {', '.join(sorted(_STATUSES))}")
        reason = " ".join(str(raw[key]) for key in ("justification", "impact_statement") if raw.get(key))
        if self.status == "not_affected" and not reason:
            refuse(where, "not_affected without a justification or an impact statement")
        self.products = _products(raw.get("products"), where)
        names = _names(raw.get("vulnerability"), where)
        self.waiver = Waiver(
            id=names[0],
            ids=frozenset(name.upper() for name in names),
            owner=str(raw.get("supplier") or author),
            reason=f"VEX: {self.status}" + (f", {reason}" if reason else ""),
            expires=None,
        )


def _names(vulnerability: Any, where: str) -> tuple[str, ...]:
    if isinstance(vulnerability, str):  # as 0.0.1 wrote it
        vulnerability = {"name": vulnerability}
    if not isinstance(vulnerability, dict):
        refuse(where, "it names no vulnerability")
    aliases = vulnerability.get("aliases") or []
    if not isinstance(aliases, list):
        refuse(where, "aliases is no list")
    return (_text(vulnerability, "name", where), *(str(alias) for alias in aliases))


def _products(said: Any, where: str) -> tuple[Product, ...]:
    """Each product under all names that it has; a statement on no product is about none."""
    if not isinstance(said, list) or not said:
        refuse(where, "it names no product")
    found: list[Product] = []
    for one in said:
        packages = one.get("subcomponents") or [] if isinstance(one, dict) else []
        if not isinstance(packages, list):
            refuse(where, "subcomponents is no list")
        within = tuple(name for package in packages for name in _called(package, where))
        found += [(name, within) for name in _called(one, where)]
    return tuple(found)


def _called(component: Any, where: str) -> list[str]:
    if isinstance(component, str):
        component = {"@id": component}
    if not isinstance(component, dict):
        refuse(where, "a product is no object")
    identifiers = component.get("identifiers")
    purl = identifiers.get("purl") if isinstance(identifiers, dict) else None
    names = [str(name) for name in dict.fromkeys((component.get("@id"), purl)) if name]
    return names or refuse(where, "a product has no name")


def _text(fields: dict[str, Any], key: str, where: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        refuse(where, f"it has no {key}")
    return value.strip()


def _moment(fields: dict[str, Any], where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(fields, "timestamp", where))
    except ValueError:
        refuse(where, "its timestamp is no moment")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
