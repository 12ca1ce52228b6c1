"""The one driver that speaks the Kubernetes API: raw JSON, so that no field is lost and the bytes stay the same.

Usage: `async with connect(KubeOptions(...)) as driver:`. The HTTP library is imported only then (it costs 0.25 s).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aegis.drivers.kubernetes.options import KubeOptions

if TYPE_CHECKING:
    from aegis.drivers.kubernetes.driver import KubernetesDriver

__all__ = ["KubeOptions", "connect"]


@asynccontextmanager
async def connect(options: KubeOptions) -> AsyncIterator[KubernetesDriver]:
    """A driver for one cluster; nothing is sent before the first call.

    Raises:
        UsageError: if the configuration cannot be used.
        Unavailable: if there is none.
    """
    from aegis.drivers.kubernetes.driver import KubernetesDriver
    from aegis.drivers.kubernetes.kubeconfig import find_endpoint
    from aegis.drivers.kubernetes.transport import open_transport

    endpoint = find_endpoint(options)
    async with open_transport(endpoint, timeout=options.timeout, environ=options.environ) as transport:
        yield KubernetesDriver(transport)
