"""The acceptance rates as a picture: one panel for each part of the table, written as SVG by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol
from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT, LINE, HEAD = 900, 290, 30, 22, 34
COLOURS = ("#d1242f", "#9a6700", "#bf3989", "#8250df", "#0969da", "#57606a", "#6e7781")
SHAPES = (
    "M-4,-4L4,4M-4,4L4,-4",
    "M-4,4L0,-4L4,4Z",
    "M-4,-4H4V4H-4Z",
    "M0,-5L5,0L0,5L-5,0Z",
    "M-4,-4L0,4L4,-4Z",
    "M-5,0H5M0,-5V5",
    "M-5,0H5",
)


class Named(Protocol):
    """What is simulated."""

    @property
    def name(self) -> str:
        """As the table names it."""


class Row(Protocol):
    """A line of the table."""

    @property
    def cell(self) -> Named:
        """What is simulated."""

    @property
    def group(self) -> str:
        """The table's part."""


class Result(Protocol):
    """How often each rule accepted."""

    @property
    def row(self) -> Row:
        """What was simulated."""

    @property
    def trials(self) -> int:
        """How often, for AEGIS."""

    @property
    def accepted(self) -> int:
        """By AEGIS."""

    @property
    def others(self) -> dict[str, float]:
        """The share that each other rule accepted."""


def plot(results: Sequence[Result]) -> str:
    """A dot for each rule and row: how many percent of the trials it accepts."""
    names = list(results[0].others)
    body = list(_legend(names))
    top = HEAD * 2.0
    for group, rows in groupby(results, key=lambda result: result.row.group):
        lines = list(rows)
        body += _panel(group, lines, names, top)
        top += HEAD + LINE * len(lines) + 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:.0f}" viewBox="0 0 {WIDTH} {top:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2328" role="img" '
        'aria-label="Share of simulated trials that each rule accepts">\n'
        f'<rect width="{WIDTH}" height="{top:.0f}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _panel(group: str, lines: Sequence[Result], names: Sequence[str], top: float) -> Iterator[str]:
    bottom = top + HEAD + LINE * len(lines)
    yield f'<text x="12" y="{top + 16:.0f}" font-weight="bold" font-size="13">{escape(group)}</text>'
    for share in (0, 25, 50, 75, 100):
        x = _x(share / 100)
        yield f'<path d="M{x:.1f},{top + HEAD - 8:.0f}V{bottom:.0f}" stroke="#d0d7de"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 13:.0f}" text-anchor="middle" font-size="10">{share} %</text>'
    for number, result in enumerate(lines):
        y = top + HEAD + LINE * (number + 0.4)
        yield f'<text x="{LABELS - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(result.row.cell.name)}</text>'
        yield f'<path d="M{LABELS},{y:.1f}H{WIDTH - RIGHT}" stroke="#eaeef2"/>'
        for index, name in enumerate(names):
            yield _mark(index, _x(result.others[name]), y)
        yield _ours(_x(result.accepted / result.trials), y)


def _legend(names: Sequence[str]) -> Iterator[str]:
    yield '<text x="12" y="22" font-weight="bold" font-size="14">Accepted, in percent of the trials</text>'
    step = (WIDTH - 30) / (len(names) + 1)
    yield _ours(20, HEAD + 8)
    yield f'<text x="30" y="{HEAD + 12}" font-weight="bold">AEGIS</text>'
    for index, name in enumerate(names):
        x = 20 + step * (index + 1)
        yield _mark(index, x, HEAD + 8)
        yield f'<text x="{x + 10:.1f}" y="{HEAD + 12}">{escape(name)}</text>'


def _ours(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#1a7f37"/>'


def _mark(index: int, x: float, y: float) -> str:
    colour = COLOURS[index % len(COLOURS)]
    shape = SHAPES[index % len(SHAPES)]
    return (
        f'<path transform="translate({x:.1f},{y:.1f})" d="{shape}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
    )


def _x(share: float) -> float:
    return LABELS + share * (WIDTH - RIGHT - LABELS)
