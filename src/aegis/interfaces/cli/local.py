"""`aegis local up|down|status|kubeconfig|images`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import Unavailable, UsageError
from aegis.interfaces.cli.options import Globals, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit, list_document
from aegis.interfaces.cli.session import progress_of, settings_of

if TYPE_CHECKING:
    from aegis.localcluster.options import ClusterInfo, ClusterOptions

_HINT = "Start it: aegis local up."


@group("local", examples='eval "$(aegis local up)"\nkubectl get nodes\naegis local down')
def command() -> None:
    """The embedded local cluster: a Kubernetes API with pods as processes, for kubectl and for trying things."""


@make("up", examples='eval "$(aegis local up)"\naegis local up --time-scale 10 --nodes 3', parent=command)
@click.option("--time-scale", default=1.0, show_default=True, help="How many times faster delays and back-offs pass.")
@click.option("--nodes", default=2, show_default=True, help="How many nodes the scheduler sees.")
@click.option(
    "--falco/--no-falco", default=True, show_default=True, help="Watch what pods do, in the logs of falco pods."
)
@click.option("--images", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path), hidden=True)
@click.pass_obj
def up(options: Globals, *, time_scale: float, nodes: int, falco: bool, images: tuple[Path, ...]) -> None:
    """Start it in the background and print the line that points kubectl to it."""
    from aegis.localcluster import daemon

    tell = progress_of(options)
    wanted = _wanted(state=_state(options), nodes=nodes, time_scale=time_scale, images=images, falco=falco)
    info = daemon.up(wanted, progress=tell, timeout=options.timeout or 60.0)
    for gap in info.not_enforced:
        sys.stderr.write(f"note: {gap}\n")
    emit(options, _document(info), lambda: f"export KUBECONFIG={info.kubeconfig}")


@make("down", examples="aegis local down", parent=command)
@click.pass_obj
def down(options: Globals) -> None:
    """End it; its objects, processes and files are gone."""
    from aegis.localcluster import daemon

    ran = daemon.down(_state(options), timeout=options.timeout or 30.0)
    words = "The local cluster is down." if ran else "No local cluster was running."
    emit(options, document("LocalCluster", running=False, stopped=ran), lambda: words)


@make("status", examples="aegis local status -o json", parent=command)
@click.pass_obj
def status(options: Globals) -> int:
    """Say whether it runs, and how."""
    from aegis.localcluster import daemon

    info = daemon.status(_state(options))
    if info is None:
        emit(options, document("LocalCluster", running=False), lambda: f"No local cluster is running. {_HINT}")
        return 1
    emit(options, _document(info), lambda: _words(info))
    return 0


@make("kubeconfig", examples="kubectl --kubeconfig $(aegis local kubeconfig) get pods -A", parent=command)
@click.pass_obj
def kubeconfig(options: Globals) -> None:
    """Print where its kubeconfig lies."""
    info = _running(options)
    emit(options, document("Kubeconfig", path=str(info.kubeconfig)), lambda: str(info.kubeconfig))


@make("images", examples="aegis local images", parent=command)
@click.pass_obj
def images(options: Globals) -> None:
    """List what its registry holds: everything else fails to pull."""
    from aegis.localcluster.kubelet.images.registry import Registry

    items = [{"image": reference} for reference in sorted(Registry.standard().references())]
    emit(options, list_document("Image", items), lambda: columns(("image",), [(one["image"],) for one in items]))


def _wanted(**asked: Any) -> ClusterOptions:
    """What to start.

    Raises:
        UsageError: if there is no such cluster.
    """
    from aegis.localcluster.options import ClusterOptions

    try:
        return ClusterOptions(**asked)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _state(options: Globals) -> Path:
    from aegis.wiring import Places

    return Places(folder=settings_of(options).settings.state.folder).local_cluster


def _running(options: Globals) -> ClusterInfo:
    """What runs.

    Raises:
        Unavailable: if nothing does.
    """
    from aegis.localcluster import daemon

    info = daemon.status(_state(options))
    if info is None:
        raise Unavailable("no local cluster is running", hint=_HINT)
    return info


def _document(info: ClusterInfo) -> dict[str, object]:
    return document("LocalCluster", running=True, **info.to_json())


def _words(info: ClusterInfo) -> str:
    lines = [
        f"running     process {info.pid} since {info.started_at:%Y-%m-%d %H:%M:%S} UTC",
        f"server      {info.url} ({info.version})",
        f"kubeconfig  {info.kubeconfig}",
        f"nodes       {info.nodes}",
        f"time scale  {info.time_scale:g}",
        f"isolation   {info.isolation}",
        f"falco       {'watches' if info.falco else 'none'}",
    ]
    return "\n".join([*lines, *(f"not enforced  {gap}" for gap in info.not_enforced)])
