"""Checks of single values, shared by the kinds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.kube.selector import SelectorError, label_selector
from aegis.localcluster.apiserver.objects import label_faults
from aegis.localcluster.apiserver.refusals import invalid_value, required, unsupported
from aegis.localcluster.status import Cause

_PERCENT = re.compile(r"[0-9]{1,3}%")
_PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def port_number(value: Any, field: str) -> list[Cause]:
    """A port from 1 to 65535."""
    if isinstance(value, int) and 1 <= value <= 65535:  # noqa: PLR2004 - ports
        return []
    return [invalid_value(field, value, "must be between 1 and 65535, inclusive")]


def port(value: Any, field: str) -> list[Cause]:
    """A port by its number or by its name."""
    return port_name(value, field) if isinstance(value, str) else port_number(value, field)


def port_name(value: str, field: str) -> list[Cause]:
    """A port's name."""
    fits = 1 <= len(value) <= 15 and _PORT_NAME.fullmatch(value) and re.search("[a-z]", value) and "--" not in value  # noqa: PLR2004 - IANA_SVC_NAME
    if fits:
        return []
    rule = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), at least one letter, and be no more than 15 characters"
    return [invalid_value(field, value, rule)]


def quantity(value: Any, field: str, *, least: int = 0) -> list[Cause]:
    """A quantity that is not negative."""
    try:
        amount = parse_quantity(value)
    except QuantityError:
        return [invalid_value(field, value, _QUANTITY_RULE)]
    return [] if amount >= least else [invalid_value(field, value, f"must be greater than or equal to {least}")]


def not_negative(value: Any, field: str, *, least: int = 0) -> list[Cause]:
    """A whole number that is at least `least`; absent is fine."""
    if value is None or (isinstance(value, int) and value >= least):
        return []
    return [invalid_value(field, value, f"must be greater than or equal to {least}")]


def amount_or_percent(value: Any, field: str) -> list[Cause]:
    """A whole number that is not negative, or a percentage; absent is fine."""
    if isinstance(value, str):
        return (
            []
            if _PERCENT.fullmatch(value)
            else [
                invalid_value(field, value, "a valid percent string must be a numeric string followed by an ending '%'")
            ]
        )
    return not_negative(value, field)


def one_of(value: Any, field: str, supported: tuple[str, ...]) -> list[Cause]:
    """One of an enumeration; absent is fine."""
    return [] if value is None or value in supported else [unsupported(field, value, supported)]


def present(value: Any, field: str, detail: str = "") -> list[Cause]:
    """A value that has to be there."""
    return [] if value not in {None, ""} else [required(field, detail)]


def cidr(value: Any, field: str) -> list[Cause]:
    """An IP network in CIDR notation."""
    if not value:
        return [required(field)]
    try:
        if "/" in str(value):
            ipaddress.ip_network(str(value), strict=False)
            return []
    except ValueError:
        pass
    return [invalid_value(field, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]


def address(value: Any, field: str) -> list[Cause]:
    """An IP address."""
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return [invalid_value(field, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []


def selector(value: Mapping[str, Any] | None, field: str) -> list[Cause]:
    """A LabelSelector; absent is fine."""
    if value is None:
        return []
    faults = label_faults(value.get("matchLabels"), f"{field}.matchLabels")
    for index, expression in enumerate(value.get("matchExpressions") or ()):
        here = f"{field}.matchExpressions[{index}]"
        try:
            label_selector({"matchExpressions": [expression]})
        except SelectorError as error:
            faults.append(invalid_value(f"{here}.operator", expression.get("operator"), str(error)))
        faults += present(expression.get("key"), f"{here}.key")
    return faults
