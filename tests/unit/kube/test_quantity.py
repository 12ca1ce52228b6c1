from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.kube.quantity import QuantityError, canonical_quantity, format_quantity, parse_quantity, quantity_format

FORMS = st.sampled_from(["DecimalSI", "BinarySI", "DecimalExponent"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("100m", "0.1"),
        ("1.5Gi", "1610612736"),
        ("2e3", "2000"),
        ("1E3", "1000"),
        ("1E", "1e18"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1Ki", "-1024"),
        ("+7", "7"),
        (3, "3"),
        (0.25, "0.25"),
        ("1n", "1e-9"),
        ("0.1n", "1e-9"),
        ("-0.1n", "-1e-9"),
        ("9999999999E", str(2**63 - 1)),
    ],
)
def test_values(text: str | float, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "64Zi", "1 Gi", "1ki", "m", "1.2.3", "0x10", "1e", "\u0661", "1" * 100, True, "1mi", "\n1"]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("1000000", "1M"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("0Gi", "0"),
    ],
)
def test_canonical_forms(text: str, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


@settings(deadline=None)
@given(nanos=st.integers(-(10**18), 10**18), form=FORMS)
def test_formatting_loses_nothing(nanos: int, form: str) -> None:
    value = Decimal(nanos).scaleb(-9)
    assert parse_quantity(format_quantity(value, form)) == value  # type: ignore[arg-type]  # drawn from the literals


@settings(deadline=None)
@given(value=st.integers(-(10**15), 10**15), form=FORMS)
def test_canonical_is_a_fixed_point(value: int, form: str) -> None:
    # A binary quantity that is no multiple of 1024 is written in plain digits, which are read as a decimal one.
    text = canonical_quantity(format_quantity(value, form))  # type: ignore[arg-type]  # drawn from the literals
    assert canonical_quantity(text) == text


def test_formats() -> None:
    assert [quantity_format(q) for q in ("1", "1Ki", "1e3", "5m")] == [
        "DecimalSI",
        "BinarySI",
        "DecimalExponent",
        "DecimalSI",
    ]
