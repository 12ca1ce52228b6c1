"""Results on stdout (or in a file), in the form that was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals
from aegis.model.refs import Json, JsonObject

API_VERSION = "aegis.io/v1"


def document(kind: str, **fields: Any) -> JsonObject:
    """One result with its apiVersion and kind."""
    return {"apiVersion": API_VERSION, "kind": kind, **fields}


def list_document(kind: str, items: Iterable[Json]) -> JsonObject:
    """`kind: …List` with `items`."""
    return {"apiVersion": API_VERSION, "kind": f"{kind}List", "items": list(items)}


def emit(options: Globals, result: Json, table: Callable[[], str]) -> None:
    """Print a result.

    Args:
        options: say how and where to.
        result: the document.
        table: makes the text for people; called only if it is wanted.

    Raises:
        UsageError: if the file cannot be written.
    """
    write(options, rendered(options.output, result, table))


def write(options: Globals, text: str, *, more: bool = False) -> None:
    """To stdout, or to the file of `--output-file`: in its place, or (`more`) behind what this command wrote already.

    Raises:
        UsageError: if the file cannot be written.
    """
    line = text if not text or text.endswith("\n") else text + "\n"
    if options.output_file is None:
        sys.stdout.write(line)
        return
    mode: Literal["a", "w"] = "a" if more and options.written else "w"
    try:
        with options.output_file.open(mode, encoding="utf-8") as file:
            file.write(line)
        options.written = True
    except OSError as error:
        raise UsageError(f"cannot write {options.output_file}: {error.strerror}") from error


def stream(options: Globals, item: Json, line: Callable[[], str]) -> None:
    """Print one item of a stream at once: a line of its own, or a YAML document.

    Raises:
        UsageError: if the file cannot be written.
    """
    form = options.output if options.output in {"table", "yaml"} else "jsonl"
    text = ("---\n" if form == "yaml" else "") + rendered(form, item, line)
    write(options, text, more=True)
    sys.stdout.flush()


def rendered(output: str, result: Json, table: Callable[[], str]) -> str:
    """The text of a result."""
    match output:
        case "json":
            return json.dumps(result, indent=2, ensure_ascii=False)
        case "jsonl":
            return json.dumps(result, ensure_ascii=False, separators=(",", ":"))
        case "yaml":
            return to_yaml(result)
        case _:
            return plain(table())


_CONTROL: Final = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}


def plain(text: str) -> str:
    """Without control characters: what a program wrote must not speak to the reader's terminal."""
    return text.translate(_CONTROL)


def to_yaml(value: Any) -> str:
    """YAML in the order of the document."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(json.loads(json.dumps(value)), Dumper=dumper, sort_keys=False, allow_unicode=True))


def columns(head: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> str:
    """Columns as kubectl prints them; `empty` where there is no row."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return empty
    table = [[title.upper() for title in head], *cells]
    widths = [max(len(row[index]) for row in table) for index in range(len(head))]
    return "\n".join(
        "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    return " ".join(str(value).split())
