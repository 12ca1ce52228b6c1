"""`aegis rules fmt`: rule files in one layout, never at the price of what they say."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit, write
from aegis.interfaces.cli.rules_input import STDIN, rule_bytes

if TYPE_CHECKING:
    from aegis.falco.layout import Layout
    from aegis.model.refs import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    name: str
    before: str
    found: Layout

    @property
    def is_changed(self) -> bool:
        return self.found.text != self.before


@make(
    "fmt",
    examples="aegis rules fmt local.yaml\naegis rules fmt rules.d/ --check\naegis rules fmt rules.d/ --write",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--check", is_flag=True, help="Only say which files would change; ends with 1 if any would.")
@click.option("--write", "in_place", is_flag=True, help="Change the files.")
@click.pass_obj
def layout(options: Globals, *, files: tuple[str, ...], check: bool, in_place: bool) -> int:
    """Lay out rule files in one way; without --check or --write the result is printed.

    Falco reads the same of them before and after, and every comment stays: an item with a comment inside is left as it
    is written, and named. A file that cannot be read as rules is never written; of several then none is.
    """
    _check_usage(files, check=check, in_place=in_place)
    found = [_laid_out(name, data) for name, data in rule_bytes(files)]
    if in_place:
        for one in found:
            _replaced(one)
    if not check and not in_place and options.output == "table":
        for one in found:
            write(options, one.found.text, more=True)
        return 0
    emit(options, _report(found, with_text=not check and not in_place), lambda: _text(found, in_place=in_place))
    return 1 if check and any(one.is_changed for one in found) else 0


def _check_usage(files: tuple[str, ...], *, check: bool, in_place: bool) -> None:
    if check and in_place:
        raise UsageError("--check and --write exclude each other")
    if in_place and STDIN in files:
        raise UsageError("stdin cannot be written to")


def _laid_out(name: str, data: bytes) -> _File:
    from aegis.falco.layout import LayoutError, laid_out

    try:
        text = data.decode("utf-8")
        return _File(name=name, before=text, found=laid_out(text))
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no UTF-8: {error.reason} at byte {error.start}") from error
    except LayoutError as error:
        raise UsageError(f"the layout of {name} cannot be changed: {error}") from error


def _replaced(one: _File) -> None:
    """Write a file beside the old one and put it in its place: at no moment is there half a file.

    Raises:
        UsageError: it cannot be written.
    """
    if not one.is_changed:
        return
    path = Path(one.name).resolve()
    try:
        number, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
                file.write(one.found.text)
                file.flush()
                os.fsync(number)
            shutil.copymode(path, beside)
            Path(beside).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except OSError as error:
        raise UsageError(f"cannot write {one.name}: {error.strerror}") from error


def _report(found: list[_File], *, with_text: bool) -> JsonObject:
    return document(
        "LayoutReport",
        changed=sum(one.is_changed for one in found),
        items=[
            {
                "file": one.name,
                "changed": one.is_changed,
                "kept": [{"line": kept.line, "reason": kept.reason} for kept in one.found.kept],
                **({"text": one.found.text} if with_text else {}),
            }
            for one in found
        ],
    )


def _text(found: list[_File], *, in_place: bool) -> str:
    lines = []
    for one in found:
        if one.is_changed:
            lines.append(f"{one.name}: {'written' if in_place else 'would change'}")
        lines += [f"{one.name}:{kept.line}: left as it is: {kept.reason}" for kept in one.found.kept]
    changed = sum(one.is_changed for one in found)
    return "\n".join([*lines, f"{len(found)} files, {changed} {'written' if in_place else 'to change'}"])
