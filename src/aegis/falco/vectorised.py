"""Conditions over columns: what `evaluate` says of one alert, said of millions at once.

Each field is a column of codes into its distinct values. A part of a condition that touches one field is evaluated once
for each distinct value, by `evaluate` itself, into a table that is then looked up; fields with few values come first,
and values of the others are looked at only where the alert is not decided yet. So the truth has one definition, and the
speed is that of a lookup. Kleene's logic is arithmetic on `FALSE < UNKNOWN < TRUE`: and is the least, or the greatest.
"""

from __future__ import annotations

import functools
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from aegis.falco.evaluate import ANCESTRAL, Fields, Truth, compiled
from aegis.falco.fields import resolve
from aegis.falco.tree import And, Comparison, Condition, Field, Literal, Not, Or, columns_of, fields_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Truths = NDArray[np.uint8]
    Rows = slice | NDArray[np.intp]

FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2
_UNTRIED: Final = 255
_BLOCK: Final = 1 << 16
"""Rows that are looked at in one go: few enough that what is between stays in the processor's cache."""
_SPARSE: Final = 8
"""Below one undecided row in so many, rows are picked one by one."""
_FEW: Final = 256
"""Distinct values that are all tried at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field of many alerts.

    Attributes:
        codes: for each alert 0 where the field is not told, else 1 + the index of its value.
        values: the distinct values.
    """

    codes: NDArray[Any]
    values: Sequence[Any]

    @property
    def are_texts(self) -> bool:
        """Whether every value is a well-formed text."""
        if isinstance(self.values, _Values):
            return self.values.are_texts
        return all(isinstance(value, str) and _is_well_formed(value) for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Many alerts, by field."""

    rows: int
    columns: Mapping[str, Column]

    def save(self, folder: Path) -> None:
        """Write it where `opened` finds it."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = []
        for number, (name, column) in enumerate(self.columns.items()):
            column.codes.tofile(folder / f"{number}.codes")
            values = _Values.save(folder, number, list(column.values))
            columns.append({"name": name, "kind": column.codes.dtype.str, "values": values})
        text = json.dumps({"rows": self.rows, "columns": columns})
        (folder / "table.json").write_text(text, encoding="utf-8")


class _Values(Sequence[Any]):
    """The distinct values of a field, in a file that is read when the first is asked for."""

    def __init__(self, path: Path, *, count: int, are_texts: bool) -> None:
        self._path, self._count, self.are_texts = path, count, are_texts

    @staticmethod
    def save(folder: Path, number: int, values: list[Any]) -> dict[str, Any]:
        """Texts one after the other where that is all there is (none holds a NUL), else JSON."""
        are_texts = bool(values) and all(
            isinstance(value, str) and "\0" not in value and _is_well_formed(value) for value in values
        )
        text = "\0".join(values) if are_texts else json.dumps(values)
        (folder / f"{number}.values").write_text(text, encoding="utf-8", newline="")
        return {"count": len(values), "are_texts": are_texts}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self._all[index]

    @functools.cached_property
    def _all(self) -> list[Any]:
        text = self._path.read_bytes().decode()
        return text.split("\0") if self.are_texts else list(json.loads(text))


def opened(folder: Path) -> Table:
    """A table that was saved; its codes are mapped into memory, and what is not asked for is not read."""
    said = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    columns = {}
    for number, column in enumerate(said["columns"]):
        path = folder / f"{number}.codes"
        # A plain array over the mapped pages: a `memmap` costs more at each slice.
        codes = np.asarray(np.memmap(path, column["kind"], "r")) if said["rows"] else np.empty(0, column["kind"])
        columns[column["name"]] = Column(codes=codes, values=_Values(folder / f"{number}.values", **column["values"]))
    return Table(rows=said["rows"], columns=columns)


def encoded(alerts: Iterable[Fields], names: Iterable[str] | None = None) -> Table:
    """The alerts' fields as columns; `names` leaves out all others."""
    wanted = None if names is None else frozenset(names)
    codes: dict[str, array[int]] = {}
    known: dict[str, dict[Any, int]] = {}
    values: dict[str, list[Any]] = {}
    count = 0
    for count, fields in enumerate(alerts, 1):
        for name, value in fields.items():
            if wanted is not None and name not in wanted:
                continue
            column = codes.setdefault(name, array("I"))
            column.extend([0] * (count - 1 - len(column)))
            column.append(_code(value, known.setdefault(name, {}), values.setdefault(name, [])))
    columns = {}
    for name, column in codes.items():
        column.extend([0] * (count - len(column)))
        columns[name] = Column(codes=np.array(column, dtype=_narrowest(len(values[name]))), values=values[name])
    return Table(rows=count, columns=columns)


def _code(value: Any, known: dict[Any, int], values: list[Any]) -> int:
    # True, 1 and 1.0 are equal in Python and yet not the same in an alert.
    key = value if isinstance(value, str) else (type(value).__name__, repr(value))
    code = known.get(key)
    if code is None:
        values.append(value)
        code = known[key] = len(values)
    return code


def _narrowest(values: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if values < 1 << 8 else np.uint16 if values < 1 << 16 else np.uint32


def truths(
    condition: Condition, table: Table, *, absent_is_unknown: bool = False, rows: NDArray[np.intp] | None = None
) -> Truths:
    """For each row of a table (or each of some rows) whether the condition holds: FALSE, UNKNOWN or TRUE.

    An `EvaluationError` is raised where Falco would refuse the condition.
    """
    compiled(condition, absent_is_unknown=absent_is_unknown)
    plan = _Planner(table, absent_is_unknown=absent_is_unknown).plan(condition)
    found = np.empty(table.rows if rows is None else len(rows), dtype=np.uint8)
    for start in range(0, len(found), _BLOCK):
        end = min(start + _BLOCK, len(found))
        found[start:end] = plan.over(slice(start, end) if rows is None else rows[start:end], end - start)
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of a condition, ready to be asked.

    Attributes:
        over: its truths for some rows, whose number is given too.
        cost: how many values it may have to look at.
    """

    over: Callable[[Rows, int], Truths]
    cost: int


class _Planner:
    def __init__(self, table: Table, *, absent_is_unknown: bool) -> None:
        self._table, self._strict = table, absent_is_unknown

    def plan(self, condition: Condition) -> _Step:
        names = self._columns(condition)
        if not names:
            truth = _number(self._check(condition)({}))
            return _Step(lambda _, count: np.full(count, truth, dtype=np.uint8), 0)
        if len(names) == 1:
            return self._looked_up(condition, names[0])
        match condition:
            case Not(child):
                inner = self.plan(child)
                return _Step(lambda rows, count: np.uint8(TRUE) - inner.over(rows, count), inner.cost)
            case And(children):
                return _joined(self._merged(children, And), FALSE, np.minimum)
            case Or(children):
                return _joined(self._merged(children, Or), TRUE, np.maximum)
            case _:
                return self._tried(condition, names)

    def _merged(self, children: tuple[Condition, ...], join: type[And | Or]) -> list[_Step]:
        # Parts of the same single field become one table.
        groups: dict[object, list[Condition]] = {}
        for number, child in enumerate(children):
            names = self._columns(child)
            groups.setdefault(names[0] if len(names) == 1 else number, []).append(child)
        steps = [self.plan(group[0] if len(group) == 1 else join(tuple(group))) for group in groups.values()]
        return sorted(steps, key=lambda step: step.cost)

    def _columns(self, condition: Condition) -> list[str]:
        touched: dict[str, None] = {}
        for field in fields_in(condition):
            if field.name in ANCESTRAL and field.argument is None:
                names = [name for name in self._table.columns if name.startswith(f"{field.name}[")]
            else:
                names = [name for name in columns_of(field) if name in self._table.columns][:1]
            touched.update(dict.fromkeys(names))
        return list(touched)

    def _check(self, condition: Condition) -> Callable[[Fields], Truth]:
        return compiled(condition, absent_is_unknown=self._strict)

    def _looked_up(self, condition: Condition, name: str) -> _Step:
        column, check = self._table.columns[name], self._check(condition)
        answers = np.full(len(column.values) + 1, _UNTRIED, dtype=np.uint8)

        def answer(code: int) -> int:
            return _number(check({name: column.values[code - 1]} if code else {}))

        if len(answers) <= _FEW:
            answers[:] = [answer(code) for code in range(len(answers))]
            return _Step(_narrow(column.codes, answers), len(answers))
        if column.are_texts and not self._strict and (test := _text_test(condition)) is not None:
            return _Step(_texts(column, test), len(answers))

        def over(rows: Rows, _count: int) -> Truths:
            codes = column.codes[rows]
            found = answers.take(codes)
            untried = found == _UNTRIED
            if untried.any():
                for code in np.unique(codes[untried]).tolist():
                    answers[code] = answer(code)
                found = answers.take(codes)
            return found

        return _Step(over, len(answers))

    def _tried(self, condition: Condition, names: list[str]) -> _Step:
        # A check of several fields: once for each combination that occurs.
        columns, check = [self._table.columns[name] for name in names], self._check(condition)
        known: dict[tuple[int, ...], int] = {}

        def answer(codes: tuple[int, ...]) -> int:
            if codes not in known:
                told = zip(names, columns, codes, strict=True)
                known[codes] = _number(check({name: column.values[code - 1] for name, column, code in told if code}))
            return known[codes]

        def over(rows: Rows, _count: int) -> Truths:
            stacked = np.stack([column.codes[rows].astype(np.uint32) for column in columns], axis=1)
            distinct, inverse = np.unique(stacked, axis=0, return_inverse=True)
            answers = np.array([answer(tuple(codes)) for codes in distinct.tolist()], dtype=np.uint8)
            return answers.take(inverse.reshape(-1))

        return _Step(over, sum(len(column.values) for column in columns) << 4)


def _narrow(codes: NDArray[Any], answers: Truths) -> Callable[[Rows, int], Truths]:
    """A look-up in a table of at most 256 answers."""
    if codes.dtype != np.uint8:
        return lambda rows, _: answers.take(codes[rows])
    table = answers.tobytes().ljust(_FEW, b"\0")
    # Python's own look-up of bytes takes half the time of numpy's.
    return lambda rows, _: np.frombuffer(bytearray(codes[rows]).translate(table), dtype=np.uint8)


_TEXT_TESTS: Final[dict[str, Callable[[str], Callable[[str], bool]]]] = {
    "=": lambda text: text.__eq__,
    "==": lambda text: text.__eq__,
    "contains": lambda text: lambda value: text in value,
    "startswith": lambda text: lambda value: value.startswith(text),
    "endswith": lambda text: lambda value: value.endswith(text),
}


def _text_test(condition: Condition) -> Callable[[str], bool] | None:
    """A check of a text against a text without the way through bytes; None for any other.

    Texts that are well-formed compare as their UTF-8 does.
    """
    match condition:
        case Comparison(Field() as field, operator, Literal(text), "") if operator in _TEXT_TESTS:
            entry = resolve(field)
            is_text = entry.kind == "text" and not entry.is_list and _is_well_formed(text)
            return _TEXT_TESTS[operator](text) if is_text else None
        case _:
            return None


def _texts(column: Column, test: Callable[[str], bool]) -> Callable[[Rows, int], Truths]:
    @functools.cache
    def answers() -> Truths:
        return np.array([False, *map(test, column.values)], dtype=np.uint8) * np.uint8(TRUE)

    return lambda rows, _: answers().take(column.codes[rows])


def _is_well_formed(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _joined(steps: list[_Step], settled: int, join: np.ufunc) -> _Step:
    first, *others = steps

    def over(rows: Rows, count: int) -> Truths:
        found = first.over(rows, count)
        for step in others:
            open_rows = found != settled
            left = int(np.count_nonzero(open_rows))
            if not left:
                break
            if left * _SPARSE > count:
                join(found, step.over(rows, count), out=found)
                continue
            at = np.flatnonzero(open_rows)
            picked = at + rows.start if isinstance(rows, slice) else rows[at]
            found[at] = join(found[at], step.over(picked, left))
        return found

    return _Step(over, sum(step.cost for step in steps))


def _number(truth: Truth) -> int:
    return UNKNOWN if truth is None else TRUE if truth else FALSE


def undecided(condition: Condition, table: Table, rows: NDArray[np.intp]) -> Iterator[tuple[Condition, int]]:
    """Which checks left the condition unknown, and on how many of the rows, in the three-valued reading."""
    found = truths(condition, table, absent_is_unknown=True, rows=rows)
    unknown = rows[found == UNKNOWN]
    if not len(unknown):
        return
    match condition:
        case And(children) | Or(children):
            for child in children:
                yield from undecided(child, table, unknown)
        case Not(child):
            yield from undecided(child, table, unknown)
        case _:
            yield condition, len(unknown)
