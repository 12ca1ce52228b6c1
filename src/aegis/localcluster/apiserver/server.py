"""The API server as one part: its state, its in-process door and its HTTPS listener."""

from __future__ import annotations

from aegis.localcluster.api import ClusterApi, LogSource
from aegis.localcluster.apiserver.admission import Gate
from aegis.localcluster.apiserver.deleting import Deleter
from aegis.localcluster.apiserver.door import Door
from aegis.localcluster.apiserver.registry import Registry
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.writing import Writer

_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer:
    """A Kubernetes API server whose state lives and dies with this object.

    Attributes:
        api: the door for the parts that run in the same process.
        log_source: where container output is read; set before the first request for logs.
    """

    def __init__(self, *, log_source: LogSource | None = None) -> None:
        self.log_source = log_source
        self._store, self._registry = Store(), Registry()
        gate = Gate(self._store, self._registry)
        writer, deleter = Writer(self._store, self._registry, gate), Deleter(self._store)
        self.api: ClusterApi = Door(self._store, self._registry, writer, deleter)
        for name in _FIRST_NAMESPACES:
            self.api.create("namespaces", {"metadata": {"name": name}}, manager="kube-apiserver")
