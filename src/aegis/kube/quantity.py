r"""Kubernetes quantities, exactly: `100m`, `1.5Gi`, `2e3`.

```
quantity = number suffix?
number   = sign? ( digits ( "." digits* )? | "." digits )
suffix   = "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | exponent
exponent = ( "e" | "E" ) sign? digits
```

The grammar, the limits (no finer than a nano-unit: the server rounds away from zero, up to 2^63-1) and the canonical
form are those of apimachinery's `resource.Quantity`.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal
from typing import Final, Literal

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_PATTERN = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE]?)|[eE]([+-]?\d{1,3}))", re.ASCII
)
_BINARY: Final = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "E": Decimal(10) ** 18,
}  # fmt: skip
_LONGEST = 64
_NANO = Decimal("1e-9")
_LARGEST = Decimal(2**63 - 1)
_EXACT = Context(prec=200)


class QuantityError(ValueError):
    """The text is not a quantity."""


def parse_quantity(text: str | int | float) -> Decimal:
    """The exact value of a quantity; numbers are taken as JSON wrote them.

    Raises:
        QuantityError: the text does not match the grammar.
    """
    if isinstance(text, bool):
        raise QuantityError(f"{text!r} is not a quantity")
    raw = str(text)
    match = _PATTERN.fullmatch(raw) if len(raw) <= _LONGEST else None
    if match is None:
        raise QuantityError(f"{raw[:_LONGEST]!r} is not a quantity")
    number, binary, decimal, exponent = match.groups()
    factor = _BINARY[binary] if binary else _EXACT.power(10, int(exponent)) if exponent else _DECIMAL[decimal or ""]
    value = _EXACT.multiply(Decimal(number), factor)
    if abs(value) >= _LARGEST:
        return _LARGEST.copy_sign(value)
    return value.quantize(_NANO, rounding=ROUND_UP, context=_EXACT) if value % _NANO else value


def quantity_format(text: str | int | float) -> Format:
    """How a quantity is written: canonical forms keep it.

    Raises:
        QuantityError: the text is not a quantity.
    """
    parse_quantity(text)
    match = _PATTERN.fullmatch(str(text))
    if match and match.group(2):
        return "BinarySI"
    return "DecimalExponent" if match and match.group(4) else "DecimalSI"


def format_quantity(value: Decimal | int, form: Format = "DecimalSI") -> str:
    """The canonical text of a value: no fraction, the largest suffix that leaves an integer."""
    exact = Decimal(value)
    if exact == 0:
        return "0"
    if form == "BinarySI" and exact == exact.to_integral_value() and abs(exact) >= 1024:  # noqa: PLR2004 - one Ki
        for suffix, factor in reversed(_BINARY.items()):
            if exact % factor == 0:
                return f"{int(exact / factor)}{suffix}"
        return str(int(exact))
    return _decimal_text(exact, exponents=form == "DecimalExponent")


def canonical_quantity(text: str | int | float) -> str:
    """A quantity as the API server would write it back.

    Raises:
        QuantityError: the text is not a quantity.
    """
    return format_quantity(parse_quantity(text), quantity_format(text))


def _decimal_text(exact: Decimal, *, exponents: bool) -> str:
    for power, suffix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k"), (0, "")):
        scaled = _EXACT.scaleb(exact, -power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}e{power}" if exponents and power else f"{int(scaled)}{'' if exponents else suffix}"
    for power, suffix in ((3, "m"), (6, "u"), (9, "n")):
        scaled = _EXACT.scaleb(exact, power)
        if scaled == scaled.to_integral_value() or suffix == "n":
            whole = int(scaled.to_integral_value(rounding=ROUND_UP))
            return f"{whole}e-{power}" if exponents else f"{whole}{suffix}"
    raise AssertionError("the last power always returns")
