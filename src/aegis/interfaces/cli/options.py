"""The options that every command takes, before or after the command's name, as kubectl does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from aegis.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")


@dataclass(slots=True, kw_only=True)
class Globals:
    """What the global options say; filled while click parses.

    Attributes:
        output: `table`, `json`, `yaml`, or what else the command prints.
        output_file: where the result goes instead of stdout.
        namespace: empty: the context's.
        all_namespaces: every namespace.
        context: of the kubeconfig; empty: the current one.
        kubeconfig: None: as kubectl finds it.
        as_user: whom to impersonate.
        config: the file of settings; None: the user's own.
        quiet: no progress.
        verbose: how often `-v` was given.
        yes: answer yes where allowed.
        no_color: no colours.
        timeout: seconds after which the command gives up; None: its own limits.
        written: whether something stands in the output file already.
    """

    output: str = "table"
    output_file: Path | None = None
    namespace: str = ""
    all_namespaces: bool = False
    context: str = ""
    kubeconfig: Path | None = None
    as_user: str = ""
    config: Path | None = None
    quiet: bool = False
    verbose: int = 0
    yes: bool = False
    no_color: bool = False
    timeout: float | None = None
    written: bool = False


class Duration(click.ParamType[float]):
    """Seconds, or kubectl's `30s`, `5m`, `1h30m`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_duration(text: str) -> float:
    """The seconds of `30`, `30s`, `5m`, `1h30m`, `7d`, `500ms`.

    Raises:
        ValueError: if it is none of these, or not above zero.
    """
    parts = list(_PART.finditer(text))
    if not text or "".join(part[0] for part in parts) != text:
        raise ValueError(f"{text!r} is no time: write 30, 30s, 5m or 1h.")
    seconds = sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    if seconds <= 0:
        raise ValueError(f"{text!r} is not above zero.")
    return seconds


def moment(option: str, text: str, now: datetime) -> datetime:
    """So long ago, or a moment with its zone.

    Raises:
        UsageError: if it is neither.
    """
    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=parse_duration(text))
    found = None
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None or found.tzinfo is None:
        raise UsageError(f"{option} {text!r} is no time", hint="Write 30m, 24h, 7d, or 2026-03-01T12:00:00Z.")
    return found


def global_options(outputs: Sequence[str] = ("table", "json", "yaml")) -> list[click.Option]:
    """Fresh options for one command."""
    file = click.Path(dir_okay=False, path_type=Path)
    return [
        _option("-o", "--output", kind=click.Choice(list(outputs)), said="How the result is printed (default table)."),
        _option("--output-file", kind=file, said="Where to, instead of stdout."),
        _option("-n", "--namespace", kind=str, said="The namespace (default: the context's).", complete="namespaces"),
        _flag("-A", "--all-namespaces", said="Every namespace."),
        _option("--context", kind=str, said="The context of the kubeconfig.", complete="contexts"),
        _option("--kubeconfig", kind=file, said="The kubeconfig (default: as kubectl finds it)."),
        _option("--as", "as_user", kind=str, said="Impersonate this user."),
        _option("--config", kind=file, said="The file of settings."),
        _flag("-q", "--quiet", said="No progress."),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_remember_count,
            help="More on stderr; twice: tracebacks too.",
        ),
        _flag("-y", "--yes", said="Answer yes where that is allowed (never for high risk)."),
        _flag("--no-color", said="No colours."),
        _option("--timeout", kind=Duration(), said="Give up after so long: 30, 30s, 5m."),
    ]


def completing(name: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """What completes a parameter: a function of `aegis.interfaces.cli.complete`, imported when a shell asks."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from aegis.interfaces.cli import complete as found

        given: list[Any] = getattr(found, name)(ctx, param, incomplete)
        return given

    return complete


def _option(*names: str, kind: Any, said: str, complete: str = "") -> click.Option:
    asked = completing(complete) if complete else None
    return click.Option(list(names), type=kind, expose_value=False, callback=_remember, help=said, shell_complete=asked)


def _flag(*names: str, said: str) -> click.Option:
    return click.Option(list(names), is_flag=True, default=None, expose_value=False, callback=_remember, help=said)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and parameter.name is not None:
        setattr(context.ensure_object(Globals), parameter.name, value)


def _remember_count(context: click.Context, _parameter: click.Parameter, value: int) -> None:
    context.ensure_object(Globals).verbose += value


class AegisCommand(click.Command):
    """A command with the global options, whose help shows examples first."""

    def __init__(
        self, *args: Any, examples: str = "", outputs: Sequence[str] = ("table", "json", "yaml"), **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        self.examples = examples
        self._own = [parameter for parameter in self.params if isinstance(parameter, click.Option)]
        self.params = [*self.params, *global_options(outputs)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, then the command's own options, then those of every command."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples.strip().splitlines()))
        own = [record for option in self._own if (record := option.get_help_record(ctx)) is not None]
        others = [
            record
            for option in self.get_params(ctx)
            if option not in self._own
            and isinstance(option, click.Option)
            and (record := option.get_help_record(ctx)) is not None
        ]
        for title, records in (("Options", own), ("Options of every command", others)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class AegisGroup(AegisCommand, click.Group):
    """A group of commands, which lists them before the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands, examples, options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


def command(
    name: str,
    *,
    examples: str = "",
    outputs: Sequence[str] = ("table", "json", "yaml"),
    parent: click.Group | None = None,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command; it is given the context's `Globals` by `click.pass_obj` if it asks."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        made = click.command(name, cls=AegisCommand, examples=examples, outputs=outputs)(function)
        if parent is not None:
            parent.add_command(made)
        return made

    return decorate


def group(
    name: str, *, examples: str = "", outputs: Sequence[str] = ("table", "json", "yaml")
) -> Callable[[Callable[..., Any]], click.Group]:
    """Make a function a group of commands."""

    def decorate(function: Callable[..., Any]) -> click.Group:
        return click.group(name, cls=AegisGroup, examples=examples, outputs=outputs)(function)

    return decorate
