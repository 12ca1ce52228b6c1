"""The server's parts in one place, as the request handlers see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aegis.localcluster.api import LogSource, MetricsSource, PodStreams
from aegis.localcluster.apiserver.access import AccessControl
from aegis.localcluster.apiserver.authn import Authenticator
from aegis.localcluster.apiserver.deleting import Deleter
from aegis.localcluster.apiserver.registry import Registry
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.writing import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """State and write path of one server.

    Attributes:
        log_source: gives where container output is read now, or None.
        metrics: gives where the usage of pods is read now, or None.
        pod_streams: gives where the inside of pods is reached now, or None.
    """

    store: Store
    registry: Registry
    writer: Writer
    deleter: Deleter
    authenticator: Authenticator
    access: AccessControl
    log_source: Callable[[], LogSource | None]
    metrics: Callable[[], MetricsSource | None]
    pod_streams: Callable[[], PodStreams | None]
