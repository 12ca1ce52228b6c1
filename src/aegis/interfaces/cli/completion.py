"""`aegis completion`: what a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from aegis.interfaces.cli.app import root
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import write


@make(
    "completion",
    examples="source <(aegis completion bash)\naegis completion fish > ~/.config/fish/completions/aegis.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(options: Globals, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the three that the argument allows are click's own
    write(options, kind(root, {}, "aegis", "_AEGIS_COMPLETE").source())
