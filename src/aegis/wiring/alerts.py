"""Where Falco's alerts are read from: opened by name."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from aegis.errors import UsageError
from aegis.ports import AlertSource
from aegis.wiring.places import places_of

if TYPE_CHECKING:
    from aegis.drivers.http import HttpOptions
    from aegis.settings import LoadedSettings
    from aegis.stores.alerts import SqliteAlertStore

SOURCES: Final = ("store", "falco", "victorialogs", "loki")
"""The names of sources; any other word is a file, and `-` is stdin."""


def alert_store(loaded: LoadedSettings) -> SqliteAlertStore:
    """The alerts that this installation keeps.

    Raises:
        Unavailable: if the state folder cannot be made.
    """
    from aegis.stores.alerts import SqliteAlertStore

    return SqliteAlertStore(places_of(loaded).alerts)


@asynccontextmanager
async def alert_source(
    loaded: LoadedSettings, name: str, *, as_user: str = "", stdin: BinaryIO | None = None
) -> AsyncIterator[AlertSource]:
    """A source of alerts.

    Args:
        loaded: the settings.
        name: one of `SOURCES`, a file, or `-`.
        as_user: impersonate, where a cluster is asked.
        stdin: what `-` means; unbuffered, so that a line is there as soon as it was written.

    Raises:
        UsageError: if there is no such file, or the service is not configured.
        Unavailable: if no cluster is configured.
    """
    match name:
        case "store":
            from aegis.stores.alerts import StoredAlerts

            yield StoredAlerts(alert_store(loaded))
        case "falco":
            async with _pods(loaded, as_user) as source:
                yield source
        case "victorialogs" | "loki":
            async with _service(loaded, name) as source:
                yield source
        case _:
            yield _file(name, stdin)


@asynccontextmanager
async def _pods(loaded: LoadedSettings, as_user: str) -> AsyncIterator[AlertSource]:
    from aegis.drivers.kubernetes import connect
    from aegis.evidence.alert_file import PodAlerts
    from aegis.evidence.falco import FalcoPlace

    security = loaded.settings.security
    place = FalcoPlace(namespace=security.falco_namespace, labels=security.falco_label_selector)
    async with connect(loaded.kube_options(as_user=as_user)) as reader:
        yield PodAlerts(reader, place)


@asynccontextmanager
async def _service(loaded: LoadedSettings, name: str) -> AsyncIterator[AlertSource]:
    from aegis.drivers.http import open_http
    from aegis.evidence.loki import Loki
    from aegis.evidence.victorialogs import VictoriaLogs

    async with open_http(_options(loaded, name)) as client:
        yield Loki(client) if name == "loki" else VictoriaLogs(client)


def _options(loaded: LoadedSettings, name: str) -> HttpOptions:
    from aegis.drivers.http import HttpOptions

    section: Any = getattr(loaded.settings, name)
    if not section.url:
        raise UsageError(f"{name}.url is not set", hint=f"Set AEGIS_{name.upper()}__URL, or {name}.url in the file.")
    tenant = getattr(section, "tenant", "")
    return HttpOptions(
        url=section.url,
        token=section.token.get_secret_value() if section.token else "",
        timeout=section.timeout_seconds,
        ca_file=section.ca_file,
        headers={"X-Scope-OrgID": tenant} if tenant else {},
        name=name,
    )


def _file(name: str, stdin: BinaryIO | None) -> AlertSource:
    from aegis.evidence.alert_file import FileAlerts

    if name == "-":
        return FileAlerts(stdin or sys.stdin.buffer)
    if not Path(name).exists() or Path(name).is_dir():
        raise UsageError(f"{name}: no such file, and no source of alerts", hint=f"Sources are {', '.join(SOURCES)}.")
    return FileAlerts(Path(name))
