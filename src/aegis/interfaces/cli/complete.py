"""What a shell completes: kinds, names, namespaces, contexts, incidents, shadows, scenarios, scanners.

A person waits for it between two keystrokes: what needs no cluster is read from files, a cluster is asked only where its
address answers within a tenth of a second, and after a second and a half there is nothing to complete. Nothing is ever
said: what cannot be read has no completions.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from aegis.errors import AegisError

if TYPE_CHECKING:
    from aegis.drivers.kubernetes.driver import KubernetesDriver

_ANSWERS_WITHIN: Final = 0.1
_LONGEST: Final = 1.5
_HARD_END: Final = 2.0
_MOST: Final = 500
_LARGEST_FILE: Final = 8 << 20
_PORTS: Final = {"https": 443, "http": 80}


class Meant(Protocol):
    """Of the global options, those that say which cluster is meant, and where in it."""

    namespace: str
    all_namespaces: bool
    context: str
    kubeconfig: Path | None
    as_user: str


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """A kind, then a name; or both in one word."""
    from aegis.interfaces.cli.targets import ANALYZED

    typed = ctx.params.get(str(param.name)) or ()
    options: Meant = ctx.obj
    if "/" in incomplete:
        kind, _, begun = incomplete.partition("/")
        return [f"{kind}/{name}" for name in _names(options, kind) if name.startswith(begun)]
    if typed and "/" not in typed[0]:
        return [name for name in _names(options, typed[0]) if name.startswith(incomplete) and name not in typed[1:]]
    return sorted(kind for kind in map(str.lower, ANALYZED) if kind.startswith(incomplete.lower()))


def namespaces(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The cluster's namespaces."""
    return [name for name in _names(ctx.obj, "namespace") if name.startswith(incomplete)]


def contexts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The contexts of the kubeconfig."""
    named = (one.get("name") for config in _kubeconfigs(ctx.obj) for one in _list(config, "contexts"))
    return sorted({name for name in named if isinstance(name, str) and name.startswith(incomplete)})


def incidents(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the incidents that are kept, the newest first."""
    path = _state() / "incidents.sqlite"
    if not path.is_file():
        return []
    pattern = "".join(char for char in incomplete if char.isalnum() or char == "-")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.2)
        try:
            rows = connection.execute(
                "SELECT id FROM incidents WHERE id LIKE ? || '%' ORDER BY opened_at DESC LIMIT ?", (pattern, _MOST)
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return []
    return [str(row[0]) for row in rows]


def shadows(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the shadows that are kept."""
    return sorted(path.stem for path in (_state() / "shadows").glob("*.json") if path.stem.startswith(incomplete))[
        :_MOST
    ]


def scenarios(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The demo's scenarios, and `all`."""
    from aegis.interfaces.cli.demo_scenario import names

    try:
        return [name for name in [*names(), "all"] if name.startswith(incomplete)]
    except AegisError:
        return []


def scanners(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Those of this program, by their modules' names: none of them is imported."""
    import pkgutil

    from aegis.security import scanners as package

    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in names if name.startswith(incomplete) and not name.startswith("_")]


def _names(options: Meant, word: str) -> list[str]:
    """The names of the objects of a kind, in the namespace that is meant."""

    async def ask(driver: KubernetesDriver) -> list[str]:
        known = await driver.resolve(word)
        inside = known.namespace != "-" and not options.all_namespaces
        namespace = (options.namespace or driver.endpoint.namespace or "default") if inside else ""
        found = await driver.list(known.api_version, known.kind, namespace=namespace)
        return sorted({str(obj["metadata"]["name"]) for obj in found})[:_MOST]

    return _asked(options, ask) if _answers(options) else []


def _asked(options: Meant, ask: Callable[[KubernetesDriver], Coroutine[Any, Any, list[str]]]) -> list[str]:
    """What the cluster answers; nothing where it does not, in time or at all."""
    import asyncio

    from aegis.drivers.kubernetes import KubeOptions, connect

    async def within() -> list[str]:
        kube = KubeOptions(
            kubeconfig=options.kubeconfig,
            context=options.context,
            as_user=options.as_user,
            timeout=_LONGEST,
            environ=_environment(),
        )
        async with asyncio.timeout(_LONGEST), connect(kube) as driver:
            return await ask(driver)

    last_resort = threading.Timer(_HARD_END, os._exit, (0,))  # what does not even let itself be cancelled
    last_resort.daemon = True
    last_resort.start()
    try:
        return asyncio.run(within())
    except (AegisError, OSError, TimeoutError):
        return []
    finally:
        last_resort.cancel()


def _answers(options: Meant) -> bool:
    """Whether anybody listens at the address of the API server: asked before 0.2 s are spent on the HTTP library."""
    import socket
    from urllib.parse import urlsplit

    url = urlsplit(_server(options))
    if not url.hostname:
        return False
    try:
        address = (url.hostname, url.port or _PORTS.get(url.scheme, 0))
        with socket.create_connection(address, timeout=_ANSWERS_WITHIN):
            return True
    except (OSError, ValueError):
        return False


def _server(options: Meant) -> str:
    """The URL of the API server that is meant; of a proxy, where one leads to it; empty where none is."""
    configs = list(_kubeconfigs(options))
    current = options.context or next(
        (str(config["current-context"]) for config in configs if config.get("current-context")), ""
    )
    context = _named(configs, "contexts", current).get("context") or {}
    cluster = _named(configs, "clusters", str(context.get("cluster") or "")).get("cluster") or {}
    return str(cluster.get("proxy-url") or cluster.get("server") or "")


def _named(configs: Iterable[dict[str, Any]], section: str, name: str) -> dict[str, Any]:
    return next((one for config in configs for one in _list(config, section) if one.get("name") == name), {})


def _list(config: dict[str, Any], section: str) -> list[dict[str, Any]]:
    found = config.get(section)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _kubeconfigs(options: Meant) -> Iterable[dict[str, Any]]:
    """The kubeconfigs that are meant, those that can be read."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in [options.kubeconfig] if options.kubeconfig else _usual_kubeconfigs():
        try:
            with path.open("rb") as file:
                found = yaml.load(file.read(_LARGEST_FILE), Loader=loader)  # noqa: S506  (a safe loader)
        except (OSError, yaml.YAMLError, RecursionError, ValueError):
            continue
        if isinstance(found, dict):
            yield found


def _usual_kubeconfigs() -> list[Path]:
    given = _environment().get("KUBECONFIG", "")
    return [Path(part) for part in given.split(os.pathsep) if part] or [Path.home() / ".kube" / "config"]


def _state() -> Path:
    """The usual state folder; another one, of the settings, is not looked for."""
    given = _environment().get("XDG_STATE_HOME", "")
    return (Path(given) if given else Path.home() / ".local" / "state") / "aegis"


def _environment() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251 - settings take longer to read than a person waits
