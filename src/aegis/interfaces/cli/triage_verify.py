"""`aegis triage verify RULE`."""

from __future__ import annotations

import click

from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make


@make("verify", examples='aegis triage verify "Terminal shell in container" -n shop')
@click.argument("rule")
@click.pass_obj
def command(options: Globals, rule: str) -> int:
    """Say whether a rule is silent for a workload."""
    del options, rule
    return 3
