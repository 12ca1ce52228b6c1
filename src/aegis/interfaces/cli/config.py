"""`aegis config`."""

from __future__ import annotations

import click

from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit
from aegis.interfaces.cli.session import settings_of


@make("config", examples="aegis config\naegis config -o json\nAEGIS_SHADOW__TRIALS=7 aegis config")
@click.pass_obj
def command(options: Globals) -> None:
    """Print every setting, its value and where it came from; secrets are masked."""
    loaded = settings_of(options)
    items = [{"key": key, "value": value, "from": origin} for key, value, origin in loaded.shown()]
    result = document("Config", items=items, notices=list(loaded.notices))
    emit(
        options,
        result,
        lambda: columns(("setting", "value", "from"), [(one["key"], one["value"], one["from"]) for one in items]),
    )
