"""`aegis version`."""

from __future__ import annotations

import platform

import click

from aegis import __version__
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit


@make("version", examples="aegis version\naegis version -o json")
@click.pass_obj
def command(options: Globals) -> None:
    """Print the version of AEGIS and of what it runs on."""
    result = document(
        "Version", version=__version__, python=platform.python_version(), platform=platform.platform(terse=True)
    )
    emit(options, result, lambda: f"aegis {__version__} (Python {result['python']}, {result['platform']})")
