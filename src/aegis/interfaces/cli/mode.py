"""`aegis mode show|set`."""

from __future__ import annotations

import click

from aegis.interfaces.cli.options import Globals, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit
from aegis.interfaces.cli.session import run_async, settings_of
from aegis.ports import Mode

_MEANINGS = {
    Mode.RUN: "everything that is approved is done",
    Mode.OBSERVE: "nothing is written but dry-runs",
    Mode.FROZEN: "only our own roll-back is still made, and our shadows are taken down",
    Mode.HARDSTOP: "nothing is written at all",
}


@group("mode", examples='aegis mode show\naegis mode set frozen --reason "release night"')
def command() -> None:
    """The automation's own kill switch: read before every write."""


@make("show", examples="aegis mode show -o json", parent=command)
@click.pass_obj
def show(options: Globals) -> None:
    """Print the mode, who set it, when and why."""
    from aegis.wiring import Places, automation_mode

    setting = automation_mode(Places(folder=settings_of(options).settings.state.folder)).setting()
    _print(options, setting.to_dict())


@make("set", examples='aegis mode set hardstop --reason "under attack"', parent=command)
@click.argument("mode", type=click.Choice([mode.value for mode in Mode]))
@click.option("--reason", required=True, help="Why; it is kept and logged.")
@click.pass_obj
def set_mode(options: Globals, mode: str, reason: str) -> None:
    """Set the mode; it holds for every later write of this installation."""
    _print(options, run_async(_set(options, Mode(mode), reason), options))


async def _set(options: Globals, mode: Mode, reason: str) -> dict[str, object]:
    import getpass

    from aegis.wiring import Places, audit_log, automation_mode

    places = Places(folder=settings_of(options).settings.state.folder)
    by = f"{getpass.getuser()} on this machine"
    setting = automation_mode(places).set(mode, reason=reason, by=by)
    await audit_log(places).append(
        actor=by, action="mode.set", outcome="done", subject=mode.value, detail={"reason": reason}
    )
    return setting.to_dict()


def _print(options: Globals, setting: dict[str, object]) -> None:
    mode = Mode(str(setting["mode"]))
    story = f" (set by {setting['by']} at {setting['at']}: {setting['reason']})" if setting["at"] else ""
    emit(options, document("Mode", **setting), lambda: f"{mode.value}: {_MEANINGS[mode]}{story}")
