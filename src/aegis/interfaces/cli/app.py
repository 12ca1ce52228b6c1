"""The root command: knows its commands by name and imports only the one that is asked for."""

# ruff: noqa: ARG002 - the signatures are click's
from __future__ import annotations

from importlib import import_module

import click

from aegis.interfaces.cli.commands import COMMANDS, root_help
from aegis.interfaces.cli.options import global_options


class Root(click.Group):
    """Commands by name, one module each, imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"aegis.interfaces.cli.{COMMANDS[cmd_name][0]}")
        found = module.command
        assert isinstance(found, click.Command)  # noqa: S101 - a test imports every command
        return found

    def get_help(self, ctx: click.Context) -> str:
        """The same text as without click."""
        return root_help()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name where there is no such command.

        Raises:
            UsageError: then.
        """
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]}.{meant}", ctx)
        return super().resolve_command(ctx, args)


root = Root("aegis", params=[*global_options()], no_args_is_help=False)
