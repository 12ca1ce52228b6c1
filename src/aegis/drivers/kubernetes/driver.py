"""The whole driver: a reader and a writer over one session."""

from __future__ import annotations

from aegis.drivers.kubernetes.reader import KubernetesReader
from aegis.drivers.kubernetes.writer import KubernetesWriter


class KubernetesDriver(KubernetesReader, KubernetesWriter):
    """Speaks to one cluster: `ClusterReader` and `ClusterWriter`. Made by `aegis.drivers.kubernetes.connect`."""
