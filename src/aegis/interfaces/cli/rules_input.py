"""What `aegis rules` reads: rule files and alerts, from files, folders and stdin, all of it bounded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aegis.errors import UsageError

if TYPE_CHECKING:
    from aegis.falco.alert import Alert
    from aegis.falco.rules import Ruleset

_FILE_MAX = 16 << 20
_LINE_MAX = 4 << 20
STDIN = "-"


def loaded(names: Sequence[str]) -> Ruleset:
    """The rules of some files."""
    from aegis.falco.rules import load

    return load(rule_texts(names))


def rule_texts(names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and text of each rule file; a folder stands for its files, sorted.

    A `UsageError` is raised where one cannot be read.
    """
    return [(name, data.decode("utf-8", "replace")) for name, data in rule_bytes(names)]


def rule_bytes(names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Name and bytes of each rule file, as `rule_texts` finds them."""
    return [(str(path), _read(path)) for name in names for path in _files(name)]


def alerts_of(name: str) -> tuple[list[Alert], int]:
    """The alerts of a file of lines, and how many lines were none."""
    from aegis.falco.alert import parse_alert

    found = [parse_alert(line) for line in lines(name)]
    alerts = [alert for alert in found if alert is not None]
    return alerts, len(found) - len(alerts)


def _files(name: str) -> list[Path]:
    path = Path(name)
    if name != STDIN and path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml"} and one.is_file())
        if not found:
            raise UsageError(f"no rule file in {name}", hint="rule files end in .yaml or .yml")
        return found
    return [path]


def _read(path: Path) -> bytes:
    if str(path) == STDIN:
        data = sys.stdin.buffer.read(_FILE_MAX + 1)
    else:
        with opened(path) as file:
            data = file.read(_FILE_MAX + 1)
    if len(data) > _FILE_MAX:
        raise UsageError(f"{path} is longer than {_FILE_MAX >> 20} MiB")
    return data


def lines(name: str) -> Iterator[bytes]:
    """The lines of a file, each bounded; empty ones are left out."""
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer if name == STDIN else stack.enter_context(opened(Path(name)))
        yield from filter(bytes.strip, iter(lambda: file.readline(_LINE_MAX), b""))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
